import logging
import os
import shutil
import sys
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components import runtime
from components.storage import listing
from contract.errors import SettingsError, SlipwayError
from pipelines.lineage import code_digest, metadata
from pipelines.lineage.metadata_store import Store

OPENED = []
sys.addaudithook(lambda event, arguments: OPENED.append(str(arguments[0])) if event == "open" else None)
FRESH = {"make": "", "double": "", "add_one": ""}


def answered(executions):
    """Returns for each node the run that it was answered from; empty where it was computed."""
    return {node: each.cached_from for node, each in executions.items()}


def output(execution):
    ((artifact,),) = execution.outputs.values()
    return artifact


def number(execution):
    return int((Path(output(execution).uri) / "number").read_text())


def test_a_run_that_repeats_another_is_answered_from_the_cache_and_says_from_which_run(tiny):
    assert answered(tiny.run("first")) == FRESH
    assert answered(tiny.run("second")) == dict.fromkeys(FRESH, "first")
    third = tiny.run("third")
    assert answered(third) == dict.fromkeys(FRESH, "first"), "the run that really made the outputs"
    assert number(third["add_one"]) == 7


def test_another_parameter_is_another_key(tiny):
    tiny.run("first")
    second = tiny.run("second", value=4)
    assert answered(second) == FRESH
    assert number(second["add_one"]) == 9


def test_changed_code_runs_again_with_what_depends_on_it_and_nothing_before_it(tiny):
    tiny.run("first")
    tiny.change("double", "read(number), 2", "read(number), 10")
    second = tiny.run("second")
    assert answered(second) == {"make": "first", "double": "", "add_one": ""}
    assert number(second["add_one"]) == 31


def test_a_change_in_a_module_that_a_component_imports_is_a_change_of_its_code(tiny):
    tiny.run("first")
    tiny.change("arithmetic", "value * times", "value * times + 1")
    second = tiny.run("second")
    assert answered(second) == {"make": "first", "double": "", "add_one": ""}
    assert number(second["add_one"]) == 8


def test_code_that_is_changed_back_is_answered_from_the_cache_again(tiny):
    tiny.run("first")
    tiny.change("double", "read(number), 2", "read(number), 10")
    tiny.run("second")
    tiny.change("double", "read(number), 10", "read(number), 2")
    assert answered(tiny.run("third")) == dict.fromkeys(FRESH, "first")


def test_another_version_of_a_library_is_another_key(tiny, monkeypatch):
    tiny.run("first")
    monkeypatch.setattr(code_digest.metadata, "version", lambda name: "99.0")
    assert answered(tiny.run("second", "make")) == {"make": ""}


def test_a_node_knows_its_key_which_is_the_same_exactly_where_the_cache_would_answer(tiny, tmp_path):
    told = "    from components import runtime\n    write(number, int(runtime.current().key[:12], 16))"
    tiny.change("make", "    write(number, value)", told)

    def key(run_id, value):
        with runtime.running(runtime.NodeContext(work_dir=tmp_path)):
            made = tiny.run(run_id, "make", value=value)["make"]
        assert made.cached_from == ""
        found = number(made)
        (Path(output(made).uri) / "number").unlink()  # so that the next one is computed again
        return found

    assert key("first", 3) == key("second", 3) == key("first", 3)
    assert key("third", 4) != key("fourth", 3)
    tiny.change("make", "[:12], 16))", "[:12], 16) + 0)")
    assert key("fifth", 3) != key("sixth", 4)


def test_an_output_that_was_altered_is_computed_again_and_the_log_names_it(tiny, caplog):
    first = tiny.run("first")
    altered = Path(output(first["double"]).uri)
    (altered / "number").write_text("1000")
    with caplog.at_level(logging.WARNING, "pipelines"):
        second = tiny.run("second")
    assert answered(second) == {"make": "first", "double": "", "add_one": ""}
    assert number(second["add_one"]) == 7
    assert f"double is computed again, not answered from run first: {altered} has been altered" in caplog.text
    assert answered(tiny.run("third")) == {"make": "first", "double": "second", "add_one": "second"}


def test_what_was_compared_and_lies_there_as_it_lay_is_not_read_again_and_any_change_of_it_is(
    tiny, monkeypatch
):
    monkeypatch.setattr(listing, "SETTLED_NS", 0)  # what was just made counts as old
    first = tiny.run("first")
    places = {node: Path(output(each).uri) / "number" for node, each in first.items()}

    def read(run_id):
        OPENED.clear()
        answers = answered(tiny.run(run_id))
        return answers, {node for node, path in places.items() if str(path) in OPENED}

    assert read("second") == (dict.fromkeys(FRESH, "first"), set(FRESH))
    assert read("third") == (dict.fromkeys(FRESH, "first"), set())
    was = places["double"].stat()
    while places["double"].stat().st_ctime_ns == was.st_ctime_ns:  # until the clock has ticked
        places["double"].write_text("9")
        os.utime(places["double"], ns=(was.st_atime_ns, was.st_mtime_ns))
    assert places["double"].stat().st_size == was.st_size
    answers, reread = read("fourth")
    assert answers == {"make": "first", "double": "", "add_one": ""}
    assert "double" in reread


@pytest.mark.parametrize("delete", [shutil.rmtree, lambda folder: (folder / "number").unlink()])
def test_an_output_that_was_deleted_is_computed_again_and_the_log_names_it(tiny, caplog, delete):
    first = tiny.run("first")
    deleted = Path(output(first["make"]).uri)
    delete(deleted)
    with caplog.at_level(logging.WARNING, "pipelines"):
        second = tiny.run("second", "make")
    assert answered(second) == {"make": ""}
    assert number(second["make"]) == 3
    assert f"make is computed again, not answered from run first: {deleted}" in caplog.text


def test_what_another_store_has_left_under_the_same_number_is_no_part_of_an_output(tiny, caplog):
    """As after a change of SLIPWAY_MLMD_URI, or where an older metadata.sqlite was put back alone."""
    first = tiny.run("first")
    left = Path(output(first["make"]).uri) / "shard-00001-of-00002"
    left.write_text("yesterday's")
    (tiny.folder / "metadata.sqlite").unlink()
    second = tiny.run("second", value=4)
    assert output(second["make"]).uri == str(left.parent)
    assert [path.name for path in left.parent.iterdir()] == ["number"]
    assert number(second["add_one"]) == 9
    assert f"{left.parent} is emptied" in caplog.text


def test_a_node_that_is_cleared_for_nothing_costs_nothing(tiny):
    tiny.run("first")
    again = tiny.run("first", "double", "add_one")
    assert answered(again) == {"double": "first", "add_one": "first"}


def test_a_cleared_node_whose_code_has_changed_runs_again_and_what_follows_sees_the_new_output_alone(tiny):
    before = tiny.run("first")
    tiny.change("double", "read(number), 2", "read(number), 10")
    after = tiny.run("first", "double", "add_one")
    assert answered(after) == {"double": "", "add_one": ""}
    (seen,) = after["add_one"].inputs["doubled"]
    assert seen.id == output(after["double"]).id != output(before["double"]).id
    assert number(after["add_one"]) == 31
    assert number(before["add_one"]) == 7, "what other runs may share is left as it was"


def test_a_cleared_node_whose_own_output_was_altered_runs_again(tiny):
    before = tiny.run("first")
    (Path(output(before["double"]).uri) / "number").write_text("1000")
    after = tiny.run("first", "double", "add_one")
    assert (number(after["double"]), number(after["add_one"])) == (6, 7)
    assert [seen.id for seen in after["add_one"].inputs["doubled"]] == [output(after["double"]).id]


def test_a_run_sees_its_own_attempts_only(tiny):
    tiny.run("first")
    tiny.change("double", "read(number), 2", "read(number), 10")
    tiny.run("second", "make", "double")
    assert number(tiny.run("first", "add_one")["add_one"]) == 7
    assert number(tiny.run("second", "add_one")["add_one"]) == 31


def test_what_failed_runs_again_and_the_run_goes_on(tiny):
    tiny.change("double", "    write(", "    raise OSError('disk is full')\n    write(")
    with pytest.raises(OSError, match="disk is full"):
        tiny.run("first", "make", "double")
    tiny.change("double", "    raise OSError('disk is full')\n", "")
    assert number(tiny.run("first", "double", "add_one")["add_one"]) == 7


def test_a_node_does_not_run_on_what_an_earlier_attempt_left_when_the_newest_one_failed(tiny):
    tiny.run("first")
    tiny.change("double", "    write(", "    raise OSError('disk is full')\n    write(")
    with pytest.raises(OSError, match="disk is full"):
        tiny.run("first", "double")
    with pytest.raises(
        SlipwayError, match="Expected the inputs of node add_one among this run's own outputs"
    ):
        tiny.run("first", "add_one")


def test_a_node_whose_producer_has_not_run_says_what_to_do(tiny):
    with pytest.raises(SlipwayError, match="clear that task, and this one follows"):
        tiny.run("first", "double")


def test_an_attempt_that_was_killed_is_marked_by_the_next_one(tiny):
    tiny.change("make", "    write(", "    raise SystemExit('killed')\n    write(")
    with pytest.raises(SystemExit):
        tiny.run("first", "make")
    tiny.change("make", "    raise SystemExit('killed')\n", "")
    assert number(tiny.run("first", "make")["make"]) == 3
    with Store(metadata.connection(tiny.folder)) as store:
        states = [execution.last_known_state for execution in store.store.get_executions()]
    assert sorted(states) == sorted([mlmd.Execution.CANCELED, mlmd.Execution.COMPLETE])


def test_a_node_does_not_run_on_what_was_judged_before_its_producer_put_out_something_else(tiny):
    tiny.run("first")
    tiny.change("make", "write(number, value)", "write(number, value + 1)")
    tiny.run("first", "make")
    with pytest.raises(SettingsError, match=r"double read what make made before that.*Clear double"):
        tiny.run("first", "add_one")
    tiny.run("first", "double")
    assert number(tiny.run("first", "add_one")["add_one"]) == 9


def test_a_task_that_is_cleared_without_need_leaves_what_follows_as_it_is(tiny):
    tiny.run("first")
    tiny.run("first", "make")
    assert number(tiny.run("first", "add_one")["add_one"]) == 7
