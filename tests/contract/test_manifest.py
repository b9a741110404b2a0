import json
from pathlib import Path

import pytest

from contract import manifest
from contract.manifest import Manifest, ManifestError
from contract.state import PROJECT

TINY = PROJECT / "tests" / "dags" / "manifests" / "tiny.json"


@pytest.fixture
def read(tmp_path):
    """Reads the test manifest after `change` has been at it."""

    def read_changed(change=lambda content: None) -> Manifest:
        content = json.loads(TINY.read_text())
        change(content)
        path = tmp_path / "tiny.json"
        path.write_text(json.dumps(content))
        return manifest.read(path)

    return read_changed


def test_a_manifest_is_read_into_what_it_says(read):
    tiny = read()

    assert (tiny.kind, tiny.dag_id, tiny.pipeline) == ("training", "train_tiny", "tiny")
    assert (tiny.schedule, tiny.timezone, tiny.max_active_runs) == ("0 2 * * *", "UTC", 1)
    assert tiny.nodes[2] == manifest.Node(
        id="train",
        kind="component",
        group="model",
        upstream=("ingest",),
        pool="gpu",
        timeout_s=3600,
        retries=1,
        retry_delay_s=30,
        doc="Trains the model",
    )


def test_what_is_written_is_read_again(read, tmp_path):
    tiny = read()
    (tmp_path / "tiny.json").write_text(tiny.model_dump_json())

    assert manifest.read(tmp_path / "tiny.json") == tiny


def set_in(*keys, to):
    def change(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = to

    return change


def of_the_version_before(content):
    content["manifest_version"] = 1
    del content["kind"], content["dag_id"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (of_the_version_before, "manifest_version must be 2, got 1"),
        (set_in("pipeline", to="huge"), "pipeline must be 'tiny', as the file is called, got 'huge'"),
        (lambda content: content.pop("schedule"), "schedule is missing"),
        (lambda content: content.pop("dag_id"), "dag_id is missing"),
        (set_in("schedule", to=7), "schedule must be a valid string, got 7"),
        (
            set_in("timezone", to="Mars/Olympus"),
            "timezone must be a name such as Europe/Berlin, got 'Mars/Oly",
        ),
        (set_in("max_active_runs", to=0), "max_active_runs must be greater than or equal to 1, got 0"),
        (set_in("max_active_runs", to=True), "max_active_runs must be a valid integer, got True"),
        (set_in("params", "train.epochs", to={}), r"params\['train.epochs'\] must have a default, got {}"),
        (set_in("groups", 0, to="data"), r"groups\[0\] must be an object, got 'data'"),
        (set_in("nodes", 2, "timeout_s", to="1h"), r"nodes\[2\].timeout_s must be a valid number, got '1h'"),
        (
            set_in("nodes", 2, "retries", to=-1),
            r"nodes\[2\].retries must be greater than or equal to 0, got -1",
        ),
        (set_in("nodes", 2, "retires", to=1), r"nodes\[2\].retires .*not permitted, got 1"),
        (set_in("nodes", 2, "kind", to="robot"), r"nodes\[2\].kind must be 'component', .* got 'robot'"),
        (
            set_in("nodes", 2, "group", to="zoo"),
            "'train': group must be one of data, model, release, got 'zoo'",
        ),
        (set_in("nodes", 2, "upstream", to=["ghost"]), "'train': upstream must be one of .*, got 'ghost'"),
        (set_in("nodes", 2, "upstream", to=[["x"]]), r"nodes\[2\].upstream\[0\] must be a valid string, got"),
        (
            set_in("nodes", 2, "upstream", to=[]),
            "'train': upstream must be empty for kind 'prepare' and for no",
        ),
        (set_in("nodes", 1, "upstream", to=["train"]), "nodes must not wait for each other: .*train"),
        (set_in("nodes", 2, "id", to="ingest"), "nodes must have different ids, got 'ingest' more than once"),
        (set_in("nodes", 7, "kind", to="component"), "nodes must hold one of kind 'close', got 0"),
        (set_in("nodes", 6, "upstream", to=["approve"]), "'push': upstream must also name what the approval"),
        (set_in("description", to=["x" * 200]), r"description must be a valid string, got \['x{75}\.\.\."),
    ],
)
def test_a_broken_manifest_names_the_field_what_was_expected_and_what_was_there(read, change, message):
    with pytest.raises(ManifestError, match=message) as raised:
        read(change)

    assert "tiny.json: " in str(raised.value)
    assert "`slipway compile`" in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "EOF while parsing an object"), ("[]", r"the file must be an object, got \[\]")],
)
def test_a_file_that_is_no_json_object_says_so(tmp_path, content, message):
    path = tmp_path / "tiny.json"
    path.write_text(content)

    with pytest.raises(ManifestError, match=message):
        manifest.read(path)


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "pipelines" / "manifests").glob("*.json")), ids=Path.name.fget
)
def test_every_committed_manifest_can_be_read(path):
    found = manifest.read(path)

    assert (found.pipeline, found.kind) == (path.stem, manifest.TRAINING)
    assert found.dag_id == manifest.training_dag_id(path.stem)
