"""A family in a folder of somebody's own: nothing of Slipway's knows it."""

import importlib
import sys

import pytest

from contract.errors import SettingsError
from pipelines.definition import config, form, manifest
from pipelines.definition.pipeline import create_pipeline
from pipelines.lineage import launch

OPENED = []
sys.addaudithook(lambda event, arguments: OPENED.append(str(arguments[0])) if event == "open" else None)
YAML = """
family: plugged.words
data: {classes: [short, long], eval_fraction: 0.25, test_fraction: 0.25}
validation: {min_records_per_split: 5}
train: {epochs: 40, batch_size: 16, learning_rate: 0.05, units: 4}
evaluate: {min_accuracy: 0.9}
infra_validate: {requests: 10}
"""


@pytest.fixture
def words(plugged, tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/words.yaml").write_text(YAML)
    monkeypatch.setenv("SLIPWAY_CONFIGS", str(tmp_path / "configs"))
    return plugged


def code():
    pipeline_ir = launch.compile_run(create_pipeline(config.load("words"), manifest.NOWHERE), "a-run")
    return launch.code_of(pipeline_ir)


def test_its_sections_are_part_of_the_configuration_and_stages_that_it_lacks_are_not(words):
    found = config.load("words", {"train.epochs": 2})
    assert (found.candidate, found.train.units, found.record.vowels) == ("float", 4, "aeiou")
    assert {"augment.factor", "compress.final_sparsity"}.isdisjoint(form.schema(found))
    nodes = {node.id: list(node.upstream) for node in manifest.compile_manifest(found).nodes}
    assert nodes["train"] == ["validate"]
    assert nodes["infra_validate"] == ["evaluate"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("family", "augment: {factor: 2}\nfamily", "augment: unknown key."),
        ("family", "candidate: compressed\nfamily", "candidate: expected 'float', got \"compressed\""),
        ("min_records_per_split", "min_side_px", "validation.min_side_px: unknown key."),
    ],
)
def test_what_other_families_have_is_no_key_of_its_configuration(words, tmp_path, old, new, message):
    (tmp_path / "configs/words.yaml").write_text(YAML.replace(old, new))
    with pytest.raises(SettingsError) as error:
        config.load("words")
    assert message in str(error.value)


def test_a_family_that_lacks_something_is_refused_with_what_it_lacks(words):
    path = words.folder / "words/settings.py"
    path.write_text(path.read_text().replace("COMPRESSES = False\n", ""))
    words.forget()
    with pytest.raises(
        SettingsError, match=r"families\.interface\.Settings describes, and .*lacks COMPRESSES"
    ):
        config.load("words")
    path.unlink()
    words.forget()
    with pytest.raises(SettingsError, match=r"there is no module plugged\.words\.settings"):
        config.load("words")


def test_a_family_that_cannot_import_what_it_needs_says_so_itself(words):
    path = words.folder / "words/settings.py"
    path.write_text(f"import a_library_that_is_not_installed\n{path.read_text()}")
    words.forget()
    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_not_installed"):
        config.load("words")


@pytest.mark.parametrize(
    ("module", "nodes"),
    [
        ("data", {"ingest", "validate", "train", "infra_validate"}),
        ("settings", {"validate", "train"}),
        ("sources", {"ingest"}),
        ("ingestion", {"ingest"}),
        ("facts", {"validate"}),
        ("model", {"train"}),
        ("requests", {"infra_validate"}),
    ],
)
def test_an_edited_file_of_a_family_changes_the_code_of_exactly_the_nodes_that_run_it(words, module, nodes):
    before = code()
    words.change(module)
    after = code()
    assert {node for node in before if after[node] != before[node]} == nodes


@pytest.mark.parametrize("module", ["sources", "ingestion", "facts", "model", "requests"])
def test_what_is_edited_once_the_code_is_known_waits_for_the_next_process(words, module):
    code()
    path = words.folder / "words" / f"{module}.py"
    path.write_text(f"{path.read_text()}\nCHANGED = True\n")
    assert not hasattr(importlib.import_module(f"plugged.words.{module}"), "CHANGED")


@pytest.mark.long
def test_its_pipeline_runs_an_edited_file_recomputes_the_nodes_that_run_it_and_a_quiet_night_reads_no_examples(
    words, state, run_real_nodes
):
    first = run_real_nodes("infra_validate", "words", "first")
    assert {result.state for result in first.values()} == {"succeeded"}
    assert first["ingest"].metrics["records_quarantined"] == 1
    assert first["evaluate"].metrics["accuracy"] >= 0.9
    assert first["infra_validate"].metrics["latency_p50_ms"] > 0

    words.change("facts")
    second = run_real_nodes("infra_validate", "words", "second")
    assert {node for node, result in second.items() if not result.cached} == {"validate"}

    OPENED.clear()
    third = run_real_nodes("infra_validate", "words", "third")
    assert all(result.cached for result in third.values())
    # What was read of these splits, to compare them and to count, was read in the night before.
    assert not [path for path in OPENED if "/artifacts/" in path and "/Split-" in path]
