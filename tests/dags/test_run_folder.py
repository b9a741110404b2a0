import json

import pytest

from dags.run_folder import RunFolder

RUN_ID = "scheduled__2026-01-02T02:00:00+00:00"


@pytest.fixture
def folder(ml):
    return RunFolder.of("tiny", RUN_ID)


def test_the_folder_is_named_after_the_run(folder, ml):
    assert folder.path == ml.home / "pipelines" / "tiny" / "runs" / RUN_ID


@pytest.mark.parametrize("run_id", ["", ".", "..", "../../etc", "a/b", "a b", "run\n", "a" * 251])
def test_a_run_id_that_leads_elsewhere_or_that_the_ml_side_refuses_is_refused(run_id):
    with pytest.raises(ValueError, match="name of the run's folder"):
        RunFolder.of("tiny", run_id)


def test_what_is_written_is_complete_and_leaves_no_draft(folder):
    folder.write("request.json", {"values": {"train.epochs": 3}})

    assert json.loads((folder.path / "request.json").read_text()) == {"values": {"train.epochs": 3}}
    assert [path.name for path in folder.path.iterdir()] == ["request.json"]


@pytest.mark.parametrize("content", [None, "", "{", "[1]", '"text"'])
def test_a_result_that_cannot_be_read_is_empty(folder, content):
    if content is not None:
        folder.write("nodes/other.json", {})
        folder.result_file("train").write_text(content)

    assert folder.result("train") == {}


def test_a_forgotten_result_is_gone(folder):
    folder.write("nodes/train.json", {"state": "succeeded"})
    folder.forget("train")
    folder.forget("train")

    assert folder.record("train") == {}
