"""Modules and functions stay small, public names are described."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULE_LINES = 300
FUNCTION_LINES = 36
FORBIDDEN_NAMES = {"utils", "helpers", "common", "base", "manager", "misc"}


def modules() -> Iterator[Path]:
    for package in ("services", "shared"):
        yield from (ROOT / package).rglob("*.py")


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in modules():
        yield path.relative_to(ROOT), ast.parse(path.read_text())


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a function's lines without its docstring."""
    first = node.body[0]
    docstring = ast.get_docstring(node, clean=False)
    said = (first.end_lineno or 0) - first.lineno + 1 if docstring is not None else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - said


def test_no_module_is_long() -> None:
    # The schema is one list of tables, and reads best as one.
    allowed = {ROOT / "shared/storage/tables.py"}
    long = [path for path in modules() if len(path.read_text().splitlines()) > MODULE_LINES]
    assert set(long) <= allowed


def test_no_function_is_long() -> None:
    long = [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and code_lines(node) > FUNCTION_LINES
    ]
    assert not long


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not [path for path in modules() if path.stem in FORBIDDEN_NAMES]


def test_public_functions_and_classes_say_what_they_are() -> None:
    bare = [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in trees()
        if "migrations" not in path.parts
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
    ]
    assert not bare


def test_nothing_is_silenced() -> None:
    silenced = [path for path in modules() if "type: ignore" in path.read_text()]
    assert not silenced
