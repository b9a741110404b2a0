import subprocess
import sys

import pytest

CODE = """
import sys
from components.ingestion import reading
from pipelines.definition import config
from components import plugins
from components.families.interface import Sources

digits = config.load({pipeline!r})
record = next(reading.read(plugins.load(digits.family_module("sources"), Sources), digits.source))
print(record.id, "tensorflow" in sys.modules)
"""


@pytest.mark.parametrize(
    ("pipeline", "first"), [("digits", "digits-00000"), ("breast_cancer", "breast_cancer-0000")]
)
def test_a_client_takes_records_from_a_source_without_loading_tensorflow(pipeline, first):
    code = CODE.format(pipeline=pipeline)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [first, "False"]
