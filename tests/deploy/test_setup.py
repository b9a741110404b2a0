import sys

import pytest

from deploy.local import bootstrap

ML = bootstrap.ENVIRONMENTS["ml"]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with nothing: an empty PATH, no pyenv, no environments."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setattr(bootstrap, "PROJECT", tmp_path / "project")
    (tmp_path / "project").mkdir()
    return tmp_path


def executable(path, script):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def python(path, version, implementation="cpython"):
    return executable(path, f"echo {implementation} {version.replace('.', ' ')}")


def test_a_python_on_path_is_taken(machine):
    found = python(machine / "bin" / "python3.10", "3.10")

    assert bootstrap.find_python(ML) == (str(found), [])


def test_a_shim_that_answers_with_an_error_is_passed_over_for_what_pyenv_has_installed(machine):
    executable(machine / "bin" / "python3.10", "echo 'pyenv: python3.10: command not found' >&2; exit 127")
    python(machine / "pyenv/versions/3.10.9/bin/python3.10", "3.10")
    newest = python(machine / "pyenv/versions/3.10.13/bin/python3.10", "3.10")

    found, rejected = bootstrap.find_python(ML)

    assert found == str(newest)
    assert "python3.10 is not usable (pyenv: python3.10: command not found)" in rejected[0]


def test_a_second_folder_of_path_is_searched_too(machine, monkeypatch):
    executable(machine / "bin" / "python3.10", "exit 1")
    second = python(machine / "second" / "python3.10", "3.10")
    monkeypatch.setenv("PATH", f"{machine / 'bin'}:{machine / 'second'}")

    assert bootstrap.find_python(ML)[0] == str(second)


@pytest.mark.parametrize(
    ("version", "implementation"), [("3.11", "cpython"), ("3.9", "cpython"), ("3.10", "pypy")]
)
def test_another_version_or_implementation_is_rejected_by_name(machine, version, implementation):
    python(machine / "bin" / "python3", version, implementation)

    found, rejected = bootstrap.find_python(ML)

    assert found is None
    assert version in rejected[0]


def test_airflow_takes_the_plain_python3_where_it_is_new_enough(machine):
    python(machine / "bin" / "python3.11", "3.11")
    plain = python(machine / "bin" / "python3", "3.13")

    assert bootstrap.find_python(bootstrap.ENVIRONMENTS["airflow"])[0] == str(plain)


def test_without_any_python_the_message_says_what_was_looked_at_and_what_to_do(machine):
    python(machine / "bin" / "python3", "3.12")
    uv = executable(machine / "bin" / "uv", "echo uv 0.9.0; [ $1 = --version ]")

    with pytest.raises(
        bootstrap.SetupError, match=r"(?s)needs Python 3\.10 .*python3 is 3\.12.*pyenv install 3\.10"
    ):
        bootstrap._make_environment(str(uv), ML)


def test_a_uv_on_path_is_used(machine):
    uv = executable(machine / "bin" / "uv", "echo uv 0.9.0")

    assert bootstrap.find_uv() == str(uv)


@pytest.mark.parametrize("on_path", [None, "uv 0.4.30"])
def test_uv_is_fetched_where_it_is_missing_or_too_old(machine, monkeypatch, on_path):
    if on_path:
        executable(machine / "bin" / "uv", f"echo {on_path}")
    ran = []
    monkeypatch.setattr(bootstrap, "_run", lambda *command: ran.append(command))

    assert bootstrap.find_uv() == str(machine / "project/.venv/uv/bin/uv")
    assert ran[0] == (sys.executable, "-m", "venv", str(machine / "project/.venv/uv"))
    assert bootstrap.UV_REQUIREMENT in ran[1]


def test_a_python_without_ensurepip_and_pip_is_told_which_package_is_missing(machine, monkeypatch):
    def fail(*command):
        raise bootstrap.SetupError("exit code 1")

    monkeypatch.setattr(bootstrap, "_run", fail)
    monkeypatch.setattr(bootstrap, "_has", lambda module: False)

    with pytest.raises(bootstrap.SetupError, match=r"(?s)neither 'ensurepip' nor 'pip'.*python3-venv"):
        bootstrap.find_uv()


def test_an_old_python_is_told_which_one_it_needs(monkeypatch, capsys):
    monkeypatch.setattr(sys, "hexversion", 0x03080000)

    assert bootstrap.main(["ml"]) == 1
    assert "needs Python 3.9 or newer" in capsys.readouterr().err


TALKING_UV = 'for package in a b c; do echo " + $package==1.0" >&2; done'


@pytest.fixture
def installable(machine):
    """A machine with Python, the locks and a uv that names every package; what uv ends with is given."""
    python(machine / "bin" / "python3.10", "3.10")

    def with_uv(exit_code):
        installing = f"{TALKING_UV}; exit {exit_code}"
        executable(machine / "bin" / "uv", f"case $1 in --version) echo uv 0.9.0;; pip) {installing};; esac")
        (machine / "project/.venv/ml").mkdir(parents=True)

    return with_uv


def test_installing_says_what_it_does_and_that_it_is_done_not_each_package(installable, capfd):
    installable(0)

    assert bootstrap.main(["ml"]) == 0

    assert [line.split()[0] for line in "".join(capfd.readouterr()).splitlines()] == ["Installing", "The"]


def test_an_installation_that_fails_says_all_that_uv_said(installable, capfd):
    installable(2)

    assert bootstrap.main(["ml"]) == 1

    said = capfd.readouterr().err
    assert " + c==1.0" in said
    assert "pip sync --require-hashes" in said
    assert "exit code 2" in said
