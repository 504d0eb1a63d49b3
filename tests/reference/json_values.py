"""JSON values as stage models see them: paths, equality, tests, and durations.

Part of the reference interpreter: written for plainness, from the specification alone.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

Document: TypeAlias = dict[str, Any]
"""A parsed JSON object; the reference works on plain documents throughout."""

MISSING: Final = object()
"""What a path leads to where there is nothing, or a JSON null."""

_DURATION: Final = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_SECONDS: Final = (7 * 86_400, 86_400, 3_600, 60, 1)


def micros(duration: str) -> int:
    """Return the length of an ISO 8601 *duration* of weeks to seconds, in microseconds."""
    match = _DURATION.fullmatch(duration)
    assert match is not None, duration
    parts = zip(match.groups(), _SECONDS, strict=True)
    return 1_000_000 * sum(int(number) * seconds for number, seconds in parts if number)


def at_path(value: object, path: str) -> object:
    """Return what lies at *path* below *value*; MISSING for nothing and for null."""
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return MISSING
        value = value[key]
    return MISSING if value is None else value


def is_number(value: object) -> bool:
    """Tell whether *value* is a JSON number; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(one: object, other: object) -> bool:
    """Tell whether two JSON values have one type and are equal."""
    if is_number(one) and is_number(other):
        return one == other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


def passes(value: object, tests: Mapping[str, Any]) -> bool:
    """Tell whether *value* (or MISSING) passes all of *tests*."""
    return all(_passes(value, operator, operand) for operator, operand in tests.items())


def _passes(value: object, operator: str, operand: object) -> bool:
    if operator == "exists":
        return (value is not MISSING) is operand
    if operator == "ne":
        return not _passes(value, "eq", operand)
    if value is MISSING:
        return False
    return _TESTS[operator](value, operand)


def _contains(value: object, operand: object) -> bool:
    if isinstance(value, str):
        return isinstance(operand, str) and operand in value
    return isinstance(value, list) and any(same(item, operand) for item in value)


def _comparable(value: object, operand: object) -> bool:
    strings = isinstance(value, str) and isinstance(operand, str)
    return strings or (is_number(value) and is_number(operand))


_TESTS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": same,
    "in": lambda value, items: any(same(value, item) for item in items),
    "contains": _contains,
    "prefix": lambda value, start: isinstance(value, str) and value.startswith(start),
    "gt": lambda value, bound: _comparable(value, bound) and value > bound,
    "gte": lambda value, bound: _comparable(value, bound) and value >= bound,
    "lt": lambda value, bound: _comparable(value, bound) and value < bound,
    "lte": lambda value, bound: _comparable(value, bound) and value <= bound,
}
