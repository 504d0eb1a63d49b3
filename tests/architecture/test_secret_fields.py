"""No class shows a secret when it is printed."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SECRET: Final = frozenset(
    {"pepper", "key_pepper", "password", "sasl_password", "secret", "secrets", "cursor_secret"}
    | {"secret_key", "write_key", "database_url"}
)


def shown(tree: ast.AST) -> Iterator[str]:
    """Yield the fields with a secret's name that the class they stand in prints."""
    for kind in ast.walk(tree):
        if not isinstance(kind, ast.ClassDef):
            continue
        methods = {each.name for each in kind.body if isinstance(each, ast.FunctionDef)}
        for each in kind.body:
            if not isinstance(each, ast.AnnAssign) or not isinstance(each.target, ast.Name):
                continue
            said = ast.unparse(each)
            hidden = "SecretStr" in said or "repr=False" in said or "__repr__" in methods
            if each.target.id in SECRET and not hidden:
                yield f"{kind.name}.{each.target.id}"


def test_fields_that_hold_secrets_are_left_out_when_they_are_printed() -> None:
    found = {
        f"{file.relative_to(ROOT)}: {name}"
        for folder in ("services", "shared", "deploy")
        for file in (ROOT / folder).rglob("*.py")
        for name in shown(ast.parse(file.read_text("utf-8")))
    }
    assert found == set()


def test_a_secret_that_would_be_printed_is_found() -> None:
    careless = "class A:\n    password: str\n    name: str\n"
    assert list(shown(ast.parse(careless))) == ["A.password"]
    assert list(shown(ast.parse(careless + "    def __repr__(self): return ''"))) == []
