"""Rooms stay small enough to find one's way in."""

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
ROOMS = ("benchmarks", "cli", "components", "contract", "dags", "deploy", "pipelines", "serving")
FILES = sorted(path for room in ROOMS for path in (PROJECT / room).rglob("*.py"))
MODULES_IN_A_PACKAGE, LINES_IN_A_FILE, LINES_IN_A_FUNCTION = 12, 250, 40


def shown(path):
    return str(path.relative_to(PROJECT))


def length(function):
    """Lines of a function without its docstring."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str)
    docstring = first.end_lineno - first.lineno + 1 if documented else 0
    return function.end_lineno - function.lineno + 1 - docstring


@pytest.mark.parametrize("folder", sorted({path.parent for path in FILES}), ids=shown)
def test_no_package_directly_holds_more_modules_than_one_can_survey(folder):
    modules = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]

    assert len(modules) <= MODULES_IN_A_PACKAGE, modules


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_no_file_and_no_function_is_longer_than_a_sitting(path):
    text = path.read_text()

    assert text.count("\n") <= LINES_IN_A_FILE
    functions = [
        node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert {each.name: length(each) for each in functions if length(each) > LINES_IN_A_FUNCTION} == {}
