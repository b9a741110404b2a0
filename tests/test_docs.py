"""The guides name files, modules and pages that exist: a move takes them along."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
GUIDES = [PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
GUIDES += sorted((PROJECT / "docs").rglob("*.md"))
ROOMS = "benchmarks|cli|components|contract|dags|deploy|docs|locks|pipelines|serving|tests"
PATH = re.compile(rf"(?<![\w/.<>~-])(?:{ROOMS})/[\w./*<>-]*[\w/*>]")
MODULE = re.compile(rf"(?<![\w/.-])((?:{ROOMS})(?:\.\w+)+)")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
# A person writes these.
OWN = ("pipelines/configs/flowers.yaml", "pipelines/schemas/*")


def known():
    """Every file of the rooms, and every folder of one; not what an interpreter left of files that are gone."""
    rooms = [PROJECT / room for room in ROOMS.split("|")]
    found = [path for room in rooms for path in room.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    files = {path.relative_to(PROJECT) for path in found}
    return {str(path) for path in files | {parent for file in files for parent in file.parents}}


KNOWN = known()

each_guide = pytest.mark.parametrize(
    "guide", [pytest.param(path, id=str(path.relative_to(PROJECT))) for path in GUIDES]
)


def is_there(path):
    if any(fnmatch(path, own) for own in OWN) or "<" in path:
        return True
    return any(fnmatch(each, path.rstrip("/")) for each in KNOWN)


def module_is_there(name):
    """Whether the longest part of a dotted name that is a module has the rest of it in its text."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        path = "/".join(parts[:count])
        if f"{path}.py" in KNOWN:
            return all(part in (PROJECT / f"{path}.py").read_text() for part in parts[count:])
        if path in KNOWN:
            return count == len(parts)
    return False


@each_guide
def test_each_path_that_a_guide_names_exists(guide):
    assert [path for path in PATH.findall(guide.read_text()) if not is_there(path)] == []


@each_guide
def test_each_module_that_a_guide_names_exists(guide):
    text = PATH.sub("", guide.read_text())

    assert [name for name in MODULE.findall(text) if not module_is_there(name)] == []


@each_guide
def test_each_page_that_a_guide_links_to_exists(guide):
    links = LINK.findall(guide.read_text())

    assert [link for link in links if not (guide.parent / link).exists()] == []


def test_each_page_that_the_code_refers_to_exists():
    named = {
        (file, page)
        for file in KNOWN
        if file.endswith((".py", ".yaml", ".toml", ".txt")) and not file.startswith("locks/")
        for page in re.findall(r"\bdocs/[\w/-]+\.md\b", (PROJECT / file).read_text())
    }

    assert named
    assert [(file, page) for file, page in sorted(named) if page not in KNOWN] == []
