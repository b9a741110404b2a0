import pytest

from contract import run_folder
from contract.errors import SettingsError
from contract.run_folder import NodeResult, RunFolder
from dags import run_folder as dags_run_folder


def test_a_result_comes_back_as_it_was_written(tmp_path):
    folder = RunFolder(tmp_path, "digits", "run")
    result = NodeResult("refused", "too slow", "http://mlflow", metrics={"p99": 3.0})
    folder.write_result("infra_validate", result)
    assert folder.results() == {"infra_validate": result}


def test_a_file_is_never_seen_half_written(tmp_path):
    folder = RunFolder(tmp_path, "digits", "run")
    folder.write("run.json", {"a": 1})
    with pytest.raises(TypeError):
        folder.write("run.json", {"a": object()})
    assert folder.read("run.json") == {"a": 1}


@pytest.mark.parametrize("run_id", ["", ".", "..", "a/b", "../../etc", "a b", "run\n", "a" * 251])
def test_a_run_id_that_could_leave_the_folder_or_is_none_of_airflows_is_refused(tmp_path, run_id):
    with pytest.raises(SettingsError, match="Expected a run id"):
        RunFolder(tmp_path, "digits", run_id)


def test_a_run_that_was_not_prepared_says_what_to_do(tmp_path):
    with pytest.raises(SettingsError, match=r"Expected run.json in .*clear the task `prepare`"):
        RunFolder(tmp_path, "digits", "run").require("run.json")


def test_both_environments_take_the_same_run_ids():
    assert run_folder.RUN_ID == dags_run_folder.RUN_ID
