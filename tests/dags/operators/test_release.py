import pytest


def test_a_promotion_ends_with_what_is_served(run_dag, ml):
    ml.act(release={"say": ["staging tiny 3", '{"tiny": {"stable": 3}}']})

    ran = run_dag("release", {"model": "tiny", "action": "promote", "version": 3})

    assert ran.states == {"reconcile": "success"}
    assert ran.xcoms["reconcile", "return_value"] == {"tiny": {"stable": 3}}


@pytest.mark.parametrize(
    ("conf", "command"),
    [
        ({"action": "promote", "version": 3}, "--model tiny --action promote --version 3"),
        ({"action": "rollback"}, "--model tiny --action rollback"),
    ],
)
def test_the_form_becomes_a_command_line(run_dag, ml, conf, command):
    said = run_dag("release", conf).xcoms["reconcile", "return_value"]["last_line"]

    assert said == f"release -m pipelines.release {command}"


def test_a_promotion_without_a_version_fails_before_anything_runs(run_dag, ml, capfd):
    ran = run_dag("release", {"action": "promote"})

    assert ran.states == {"reconcile": "failed"}
    assert ml.ran() == []
    assert "To promote, say which version" in capfd.readouterr().out


def test_a_failed_release_says_the_last_words(run_dag, ml, capfd):
    ml.act(release={"say": ["tiny 3 is not served; everything was put back", ""], "exit": 1})

    assert run_dag("release", {"version": 3}).state == "failed"
    assert "failed with exit code 1: tiny 3 is not served" in capfd.readouterr().out
