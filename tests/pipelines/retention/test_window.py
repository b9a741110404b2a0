import pytest

from pipelines.definition import config
from pipelines.definition.retention import RetentionSettings
from pipelines.retention.window import DAY_S, GIVEN_UP_S, Run, kept

NOW = 1000 * DAY_S


def run(name, days_ago, *, ended=True, collected=False):
    return Run(name, NOW - days_ago * DAY_S, ended, collected)


def kept_of(*runs, **settings):
    retention = RetentionSettings(**settings)
    return kept(runs, config.load("digits").model_copy(update={"retention": retention}), NOW)


@pytest.mark.parametrize(("days_ago", "stays"), [(2.9, True), (3, True), (3.1, False)])
def test_a_run_is_kept_for_days(days_ago, stays):
    assert ("old" in kept_of(run("new", 0), run("old", days_ago), days=3, runs=1)) is stays


def test_the_newest_runs_are_kept_however_old_they_are():
    runs = [run(str(days), days) for days in (500, 400, 300, 200)]
    assert kept_of(*runs, days=1, runs=2) == {"200", "300"}


def test_a_run_that_was_collected_takes_no_place_among_the_newest():
    runs = [run("a", 10, collected=True), run("b", 20), run("c", 30)]
    assert kept_of(*runs, days=1, runs=1) == {"b"}


@pytest.mark.parametrize(
    ("days_ago", "stays"), [(GIVEN_UP_S / DAY_S, True), (GIVEN_UP_S / DAY_S + 0.1, False)]
)
def test_a_run_without_an_end_is_going_on_until_it_must_have_been_given_up(days_ago, stays):
    assert ("open" in kept_of(run("new", 0), run("open", days_ago, ended=False), days=1, runs=1)) is stays


def test_by_default_weeks_are_kept():
    runs = [run(str(days), days) for days in range(100)]
    assert kept_of(*runs) == {str(days) for days in range(29)}
