import os
import subprocess
import sys
from pathlib import Path

import pytest

from serving.errors import ReleaseError
from serving.registry import history
from serving.registry.registry import Registry
from serving.registry.version import Roles
from serving.release import journal

MODEL = "toy"
PROJECT = Path(__file__).parents[3]
STEPS = [
    *("journal", "staged", "placed", "loaded", "live tag", "champion", "challenger", "previous champion"),
    *("labels", "answered", "tags", "ended", "retired"),
]
LABELS_MOVED = STEPS.index("labels")


@pytest.fixture
def before_third(site, saved_models):
    """Version 2 is live, 1 was before it, 3 is the challenger and not staged yet."""
    for name in ("one", "two"):
        site.promote(MODEL, site.register(saved_models[name]), "anna")
    site.registry.set_challenger(MODEL, site.register(saved_models["three"]))
    return site


@pytest.fixture(scope="module")
def killer():
    """A process that promotes and is killed after a step, as often as it is asked."""
    script = Path(__file__).with_name("release_until.py")
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", str(script)],
        cwd=PROJECT,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def kill_after(site, step, version):
        asked = (site.registry.tracking_uri, site.client.target, site.models_dir, version, step)
        process.stdin.write("\t".join(map(str, asked)) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "-9\n", f"the step {step!r} was never reached"

    yield kill_after
    process.stdin.close()
    process.wait(20)


@pytest.mark.parametrize("step", STEPS)
def test_a_release_killed_after_any_step_ends_in_the_old_state_or_the_new_one(before_third, step, killer):
    site = before_third
    old = site.state()
    killer(site, step, 3)
    assert site.answer() in (2.0, 3.0), "in between, one of the two answers"
    site.reconcile(MODEL)
    assert journal.read(site.models_dir / MODEL) is None
    if STEPS.index(step) < LABELS_MOVED:
        # Reconciling also serves the challenger, which the old state had only named.
        roles, tags, _, _ = site.state()
        assert (roles, tags) == old[:2]
        assert (site.answer(), site.answer("canary")) == (2.0, 3.0)
    else:
        assert site.registry.roles(MODEL) == Roles(champion=3, previous_champion=2, live=3)
        assert site.registry.version(MODEL, 3).tags[history.PROMOTED_BY] == "anna"
        assert (site.answer(), site.labels()) == (3.0, {"stable": 3})
    assert site.promote(MODEL, 3, "ben").labels == {"stable": 3}
    assert site.answer() == 3.0


@pytest.mark.parametrize("step", ["unloaded", "placed", "loaded", "champion", "labels"])
def test_a_release_killed_while_it_replaces_the_files_of_a_number_loses_neither(
    site, saved_models, step, killer
):
    site.promote(MODEL, site.register(saved_models["one"]))
    site.registry.client.delete_registered_model(MODEL)
    assert site.register(saved_models["two"]) == 1
    killer(site, step, 1)
    site.reconcile(MODEL)
    assert site.answer() == (2.0 if step == "labels" else 1.0)
    site.promote(MODEL, 1)
    assert site.answer() == 2.0


class LostRegistry(Registry):
    """A registry whose connection breaks while it is told who promoted what; everything before went well."""

    def tag_version(self, model, version, tags):
        if history.PROMOTED_AT in tags and tags[history.PROMOTED_AT] and not getattr(self, "back", False):
            self.back = True
            raise ReleaseError("MLflow does not answer")
        super().tag_version(model, version, tags)


def test_an_error_of_the_registry_after_the_labels_have_moved_puts_everything_back(before_third):
    site = before_third
    old = site.state()
    object.__setattr__(site, "registry", LostRegistry(site.registry.tracking_uri))
    with pytest.raises(ReleaseError, match="MLflow does not answer"):
        site.promote(MODEL, 3)
    assert site.state() == old
    assert site.answer() == 2.0


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_release_that_is_stopped_puts_everything_back_first(before_third, stop):
    site = before_third
    old = site.state()

    def step(name):
        if name == "answered":
            raise stop

    object.__setattr__(site, "step", step)
    with pytest.raises(stop):
        site.promote(MODEL, 3)
    assert site.state() == old
    assert site.answer() == 2.0


def test_a_person_who_moves_the_alias_after_a_kill_is_followed(before_third, killer):
    site = before_third
    killer(site, "champion", 3)
    site.registry.set_champion(MODEL, 1)
    site.reconcile(MODEL)
    assert site.answer() == 1.0
    assert site.registry.roles(MODEL).champion == site.registry.roles(MODEL).live == 1
