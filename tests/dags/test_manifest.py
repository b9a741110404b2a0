import json
from pathlib import Path

import pytest

from dags import manifest
from dags.environment import PROJECT
from dags.manifest_rules import ManifestError


@pytest.fixture
def read(tmp_path, tiny):
    """Reads the test manifest after `change` has been at it."""

    def read_changed(change=lambda content: None) -> manifest.Manifest:
        change(tiny)
        path = tmp_path / "tiny.json"
        path.write_text(json.dumps(tiny))
        return manifest.read(path)

    return read_changed


def test_a_manifest_is_read_into_what_it_says(read):
    tiny = read()

    assert (tiny.pipeline, tiny.schedule, tiny.timezone, tiny.max_active_runs) == (
        "tiny",
        "0 2 * * *",
        "UTC",
        1,
    )
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


def set_in(*keys, to):
    def change(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_in("manifest_version", to=2), "manifest_version must be 1, got 2"),
        (set_in("pipeline", to="huge"), "pipeline must be 'tiny', got 'huge'"),
        (lambda content: content.pop("schedule"), "schedule is missing"),
        (set_in("schedule", to=7), "schedule must be a string or null, got 7"),
        (set_in("max_active_runs", to=0), "max_active_runs must be at least 1, got 0"),
        (set_in("max_active_runs", to=True), "max_active_runs must be a whole number, got True"),
        (set_in("params", "train.epochs", to={}), r"params\['train.epochs'\].default is missing"),
        (set_in("groups", 0, to="data"), r"groups\[0\] must be a JSON object, got 'data'"),
        (
            set_in("nodes", 2, "timeout_s", to="1h"),
            r"nodes\[2\].timeout_s must be a whole number or a number",
        ),
        (set_in("nodes", 2, "retries", to=-1), r"nodes\[2\].retries must be at least 0, got -1"),
        (
            set_in("nodes", 2, "kind", to="robot"),
            "'train': kind must be one of approval, close, component, prep",
        ),
        (
            set_in("nodes", 2, "group", to="zoo"),
            "'train': group must be one of data, model, release, got 'zoo'",
        ),
        (set_in("nodes", 2, "upstream", to=["ghost"]), "'train': upstream must be one of .*, got 'ghost'"),
        (set_in("nodes", 2, "upstream", to=[["x"]]), r"'train': upstream must be one of .*, got \['x'\]"),
        (
            set_in("nodes", 2, "upstream", to=[]),
            "'train': upstream must be empty for kind 'prepare' and for no",
        ),
        (set_in("nodes", 1, "upstream", to=["train"]), "nodes must not wait for each other: .*train"),
        (set_in("nodes", 2, "id", to="ingest"), "nodes must have different ids, got 'ingest' more than once"),
        (set_in("nodes", 7, "kind", to="component"), "nodes must hold one of kind 'close', got 0"),
        (set_in("nodes", 6, "upstream", to=["approve"]), "'push': upstream must also name what the approval"),
        (set_in("description", to=["x" * 200]), r"description must be a string, got \['x{75}\.\.\."),
    ],
)
def test_a_broken_manifest_names_the_field_what_was_expected_and_what_was_there(read, change, message):
    with pytest.raises(ManifestError, match=message) as raised:
        read(change)

    assert "tiny.json: " in str(raised.value)
    assert "`slipway compile`" in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "Expecting property name"), ("[]", r"the file must be a JSON object, got \[\]")],
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
    assert manifest.read(path).pipeline == path.stem
