"""JSON values as stage models see them: paths, equality, numbers.

A path that is missing and JSON null are the same: no value. Numbers are equal as numbers
(1 = 1.0), a boolean is no number, arrays and objects are equal member by member.
"""

import hashlib
import json
from decimal import Decimal
from typing import Final, TypeAlias, TypeGuard

from shared.touchpoints import JsonObject, JsonValue

Path: TypeAlias = tuple[str, ...]
"""Member names from the outside in; at least one."""

_LONGEST_KEY: Final = 64


def at_path(value: JsonObject, path: Path) -> JsonValue:
    """Return what stands at *path* in *value*, None where there is nothing."""
    found: JsonValue = value
    for name in path:
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    return found


def is_number(value: JsonValue) -> TypeGuard[int | float]:
    """Tell whether *value* is a JSON number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(one: JsonValue, other: JsonValue) -> bool:
    """Tell whether two JSON values are of one type and equal."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return one == other


def identity_of(value: JsonValue) -> str | None:
    """Return a text that two values share exactly if they are the same; None for no value.

    Long values are hashed, so that what a snapshot remembers of a value stays small.
    """
    if value is None:
        return None
    if isinstance(value, str):
        text = f"s{value}"
    elif isinstance(value, list | dict):
        text = f"j{json.dumps(_plain(value), sort_keys=True, separators=(',', ':'))}"
    else:
        text = f"v{json.dumps(_plain(value))}"
    if len(text) <= _LONGEST_KEY:
        return text
    return f"h{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"


def _plain(value: JsonValue) -> JsonValue:
    """Write every number that is whole as an integer."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case _:
            return value


def decimal_of(value: float) -> Decimal:
    """Return the number exactly as its shortest form is written: 0.1 is one tenth."""
    return Decimal(value) if isinstance(value, int) else Decimal(repr(value))
