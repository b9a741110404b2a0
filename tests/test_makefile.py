"""What `make` does in a fresh clone: each target makes the environments that it needs, and says little."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
INSTALL = """#!/bin/sh
[ ! -e .venv/$3/.installed ] || exit 0  # as it should be
echo "install $3" >> calls
for program in python slipway ruff lint-imports mypy; do
  mkdir -p .venv/$3/bin
  printf '#!/bin/sh\\necho "run $*" >> calls\\n' > .venv/$3/bin/$program
  chmod +x .venv/$3/bin/$program
done
touch .venv/$3/.installed
"""
BOTH = ["install ml", "install airflow"]


@pytest.fixture
def make(tmp_path):
    """Runs targets in a clone where installing takes no time; returns what `make` called."""
    for name in ("Makefile", "pyproject.toml", "locks"):
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        copy(PROJECT / name, tmp_path / name)
    python = tmp_path / "python3"
    python.write_text(INSTALL)
    python.chmod(0o755)

    def run(*targets):
        (tmp_path / "calls").write_text("")
        own = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        done = subprocess.run(
            [shutil.which("make"), f"PYTHON={python}", *targets],
            cwd=tmp_path,
            env=own,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return (tmp_path / "calls").read_text().splitlines(), done.stdout

    return run


@pytest.mark.parametrize(
    ("target", "installed"),
    [
        ("test", BOTH),
        ("lint", BOTH),
        ("up", BOTH),
        ("demo", BOTH),
        ("compile", ["install ml"]),
        ("bench", BOTH),
        ("setup", BOTH),
    ],
)
def test_in_a_fresh_clone_a_target_makes_the_environments_that_it_needs_once(make, target, installed):
    first, _ = make(target)
    second, _ = make(target)

    assert first == installed + second
    assert bool(second) == (target != "setup")
    assert not [call for call in second if call.startswith("install")]


def test_environments_that_are_there_are_not_spoken_of(make):
    make("setup")

    assert make("test")[1] == ""


def test_stopping_a_stack_that_was_never_installed_installs_nothing(make):
    calls, said = make("down")

    assert calls == []
    assert "nothing runs" in said


def test_a_stack_is_stopped_by_the_environment_that_is_there_even_when_its_lock_has_changed(make):
    make("setup")
    calls, _ = make("--always-make", "--assume-old=Makefile", "down")

    assert calls == ["run -m deploy.local down"]
