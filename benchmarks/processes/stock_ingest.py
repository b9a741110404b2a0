"""Stock TFX's ImportExampleGen and StatisticsGen on TFRecords that are there.

    python benchmarks/processes/stock_ingest.py EXAMPLES_DIR WORK_DIR

EXAMPLES_DIR holds TFRecord files.
"""

import sys
from pathlib import Path

from tfx import v1 as tfx

if __name__ == "__main__":
    source, work_dir = Path(sys.argv[1]), Path(sys.argv[2])
    examples = tfx.components.ImportExampleGen(input_base=str(source))
    statistics = tfx.components.StatisticsGen(examples=examples.outputs["examples"])
    metadata = tfx.orchestration.metadata.sqlite_metadata_connection_config(str(work_dir / "metadata.sqlite"))
    tfx.orchestration.LocalDagRunner().run(
        tfx.dsl.Pipeline(
            pipeline_name="stock",
            pipeline_root=str(work_dir / "artifacts"),
            components=[examples, statistics],
            metadata_connection_config=metadata,
            enable_cache=False,
        )
    )
