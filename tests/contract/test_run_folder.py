import json

import pytest

from contract.errors import SettingsError
from contract.run_folder import LAYOUT, RUN, NodeResult, RunFolder

RUN_ID = "scheduled__2026-01-02T02:00:00+00:00"


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path, "digits", RUN_ID)


def test_the_folder_is_named_after_the_run_below_the_home_that_the_environment_names(tmp_path, monkeypatch):
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))

    assert RunFolder.here("digits", RUN_ID).path == tmp_path / "pipelines" / "digits" / "runs" / RUN_ID


def test_a_result_comes_back_as_it_was_written(folder):
    result = NodeResult("refused", "too slow", "http://mlflow", metrics={"p99": 3.0})
    folder.write_result("infra_validate", result)

    assert folder.result("infra_validate") == result
    assert folder.results() == {"infra_validate": result}


def test_what_only_one_node_has_to_say_stays_out_of_airflows_database():
    result = NodeResult("succeeded", seconds=1.5, metrics={"p99": 3.0}, approval_body="| a | b |")

    assert result.for_xcom() == {
        "state": "succeeded",
        "reason": "",
        "mlflow_run_url": "",
        "cached": False,
        "cached_from": "",
        "seconds": 1.5,
    }


@pytest.mark.parametrize(
    "content", [None, "", "{", "[1]", '"text"', "{}", '{"state": "fine"}', '{"state": "failed", "why": ""}']
)
def test_a_result_that_cannot_be_read_counts_as_none(folder, content):
    folder.write_result("evaluate", NodeResult("succeeded"))
    if content is not None:
        folder.result_file("train").write_text(content)

    assert folder.result("train") is None
    assert list(folder.results()) == ["evaluate"]


def test_a_forgotten_result_is_gone(folder):
    folder.write_result("train", NodeResult("succeeded"))
    folder.forget_result("train")
    folder.forget_result("train")

    assert folder.result("train") is None


def test_a_file_is_never_seen_half_written(folder):
    folder.write("summary.json", {"a": 1})
    with pytest.raises(TypeError):
        folder.write("summary.json", {"a": object()})

    assert folder.read("summary.json") == {"a": 1}
    assert [path.name for path in folder.path.iterdir()] == ["summary.json"]


@pytest.mark.parametrize("run_id", ["", ".", "..", "a/b", "../../etc", "a b", "run\n", "a" * 251])
def test_a_run_id_that_could_leave_the_folder_or_is_none_of_airflows_is_refused(tmp_path, run_id):
    with pytest.raises(SettingsError, match="Expected a run id"):
        RunFolder(tmp_path, "digits", run_id)


def test_a_run_that_was_not_prepared_says_what_to_do(folder):
    assert not folder.is_prepared()
    with pytest.raises(SettingsError, match=r"Expected run.json in .*clear the task `prepare`"):
        folder.require(RUN)


@pytest.mark.parametrize(
    ("written", "when"),
    [({}, "an earlier"), ({"layout": LAYOUT - 1}, "an earlier"), ({"layout": 99}, "a later")],
)
def test_a_run_that_another_version_prepared_is_not_gone_on_with(folder, written, when):
    folder.path.mkdir(parents=True)
    (folder.path / RUN).write_text(json.dumps({"config": {}, **written}))

    with pytest.raises(SettingsError, match=f"was prepared by {when} version of Slipway.*start a new run"):
        folder.require(RUN)


def test_what_this_version_prepared_is_gone_on_with(folder):
    folder.write(RUN, {"config": {}})

    assert folder.require(RUN) == {"config": {}, "layout": LAYOUT}


@pytest.mark.parametrize("text", ["{", "", "[]", "null"])
def test_a_file_that_is_no_json_object_is_named(tmp_path, text):
    folder = RunFolder(tmp_path, "digits", "a-run")
    folder.path.mkdir(parents=True)
    (folder.path / RUN).write_text(text)

    with pytest.raises(SettingsError, match=r"Expected a JSON object in .*run\.json"):
        folder.read(RUN)
