import json
import os

import pytest
import tiny_pipeline as tiny
from ml_metadata.proto import metadata_store_pb2 as mlmd
from postgresql_server import PASSWORD

from contract.errors import UnavailableError
from pipelines.definition import config, manifest
from pipelines.definition.pipeline import create_pipeline
from pipelines.lineage import launch, metadata, metadata_uri
from pipelines.lineage.metadata_store import Store


def files_with(folder, text):
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_without_the_variable_a_pipeline_has_a_file_of_its_own(tmp_path, monkeypatch):
    monkeypatch.delenv(metadata_uri.VARIABLE, raising=False)

    assert metadata.connection(tmp_path).sqlite.filename_uri == str(tmp_path / "metadata.sqlite")


def test_the_representation_that_a_run_keeps_has_no_connection(monkeypatch):
    monkeypatch.setenv(metadata_uri.VARIABLE, "postgresql://somebody:secret-word@db.example.org/metadata")
    pipeline = create_pipeline(config.load("digits"), manifest.NOWHERE)

    kept = json.dumps(launch.to_json(launch.compile_run(pipeline, "some_run")))

    assert [
        word for word in ("secret-word", "somebody", "db.example.org", "connection_config") if word in kept
    ] == []


def test_a_node_leaves_the_password_neither_in_files_nor_in_its_output(
    postgresql, tmp_path, monkeypatch, at_once, capfd
):
    monkeypatch.setenv(metadata_uri.VARIABLE, postgresql.new_database())
    artifacts = tmp_path / "artifacts"

    def node():
        pipeline_ir = launch.compile_run(tiny.create(artifacts, "words"), "some_run")
        (tmp_path / "pipeline.json").write_text(json.dumps(launch.to_json(pipeline_ir)))
        launch.launch(pipeline_ir, "source", metadata.connection(tmp_path))

    assert at_once(node) == []
    output = "".join(capfd.readouterr())
    for secret in (PASSWORD, json.dumps(PASSWORD)[1:-1], os.environ[metadata_uri.VARIABLE]):
        assert files_with(tmp_path, secret) == []
        assert secret not in output
    assert files_with(artifacts, "words")


def test_texts_come_back_as_they_were_written(connection):
    text = "quotes \" and ', a backslash \\, its escape \\n, a percent sign %s, umlauts äöü"
    with Store(connection) as store:
        kind = store.store.put_artifact_type(mlmd.ArtifactType(name="Any", properties={"words": mlmd.STRING}))
        written = mlmd.Artifact(type_id=kind, uri=text)
        written.properties["words"].string_value = text
        written.custom_properties["more"].string_value = text
        numbers = store.store.put_artifacts([written])
        (read,) = store.store.get_artifacts_by_id(numbers)

    assert (read.uri, read.properties["words"].string_value) == (text, text)
    assert read.custom_properties["more"].string_value == text
    assert written.uri == text


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        (lambda server: server.uri("metadata", "wrong-word"), "password authentication failed"),
        (lambda server: server.uri("no_such_database"), 'database "no_such_database" does not exist'),
        (lambda server: "postgresql://somebody:wrong-word@127.0.0.1:1/metadata", "Connection refused"),
    ],
)
def test_a_database_that_cannot_be_opened_says_which_and_why(postgresql, tmp_path, monkeypatch, uri, reason):
    monkeypatch.setenv(metadata_uri.VARIABLE, uri(postgresql))

    with pytest.raises(UnavailableError) as refused, Store(metadata.connection(tmp_path)):
        pass

    assert reason in str(refused.value)
    assert "SLIPWAY_MLMD_URI" in str(refused.value)
    assert "127.0.0.1" in str(refused.value)
    assert "wrong-word" not in str(refused.value)
    assert PASSWORD not in str(refused.value)
