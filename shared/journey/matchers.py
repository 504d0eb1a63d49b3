"""Matchers: which touchpoints a signal or ``activity.ignore`` means.

A matcher is compiled for a *shape* of touchpoint - its type, channel and source - because those
decide most matchers before any property is looked at. What is left is a function of the single
touchpoint, or simply true or false.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from shared.journey.values import Path, at_path, is_number, same
from shared.touchpoints import JsonObject, JsonValue, Touchpoint

Operator: TypeAlias = Literal[
    "eq", "ne", "gt", "gte", "lt", "lte", "in", "contains", "prefix", "exists"
]

OPERATORS: Final[tuple[Operator, ...]] = (
    "eq",
    "ne",
    "gt",
    "gte",
    "lt",
    "lte",
    "in",
    "contains",
    "prefix",
    "exists",
)

ValueTest: TypeAlias = Callable[[JsonValue], bool]
"""Tells whether the value at a path, None for a missing one, passes."""

ValueReader: TypeAlias = Callable[[Touchpoint, JsonObject], JsonValue]
"""Reads the value at some path of a touchpoint, given the customer's traits."""

MatchTest: TypeAlias = Callable[[Touchpoint, JsonObject], bool]
"""Tells whether a touchpoint matches, given the customer's traits with its own merged in."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One test on a value, as the document writes it."""

    operator: Operator
    operand: JsonValue


@dataclass(frozen=True, slots=True)
class PathTests:
    """Tests that the value at one path must all pass."""

    path: Path
    tests: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class Matcher:
    """All parts that are given must hold; an empty one is not given."""

    channel: frozenset[str] = frozenset()
    type: frozenset[str] = frozenset()
    source: frozenset[str] = frozenset()
    where: tuple[PathTests, ...] = ()
    any: tuple["Matcher", ...] = ()
    all: tuple["Matcher", ...] = ()
    negated: "Matcher | None" = None

    @property
    def parts(self) -> tuple["Matcher", ...]:
        """The matchers directly inside this one."""
        return (*self.any, *self.all, *((self.negated,) if self.negated else ()))

    @property
    def looks_at_source(self) -> bool:
        """Whether the source of a touchpoint matters here or further inside."""
        return bool(self.source) or any(part.looks_at_source for part in self.parts)

    @property
    def types(self) -> frozenset[str]:
        """Every touchpoint type named here or further inside."""
        return self.type.union(*(part.types for part in self.parts))


class Shape(NamedTuple):
    """What most matchers decide by."""

    type: str
    channel: str
    source: str


def compile_matcher(matcher: Matcher, shape: Shape) -> MatchTest | bool:
    """Return what *matcher* still has to ask of touchpoints of that shape."""
    if (
        (matcher.channel and shape.channel not in matcher.channel)
        or (matcher.type and shape.type not in matcher.type)
        or (matcher.source and shape.source not in matcher.source)
    ):
        return False
    parts: list[MatchTest | bool] = [_where(tests) for tests in matcher.where]
    parts += [compile_matcher(part, shape) for part in matcher.all]
    if matcher.any:
        parts.append(_either(compile_matcher(part, shape) for part in matcher.any))
    if matcher.negated is not None:
        negated = compile_matcher(matcher.negated, shape)
        parts.append(not negated if isinstance(negated, bool) else _opposite(negated))
    return _every(parts)


def compile_tests(tests: Iterable[Comparison]) -> ValueTest:
    """Return one function that says whether a value passes all *tests*."""
    compiled = tuple(_VALUE_TESTS[test.operator](test.operand) for test in tests)
    if len(compiled) == 1:
        return compiled[0]
    return lambda value: all(test(value) for test in compiled)


def _either(parts: Iterable[MatchTest | bool]) -> MatchTest | bool:
    open_parts = []
    for part in parts:
        if part is True:
            return True
        if part is not False:
            open_parts.append(part)
    if not open_parts:
        return False
    if len(open_parts) == 1:
        return open_parts[0]
    return lambda touchpoint, traits: any(part(touchpoint, traits) for part in open_parts)


def _every(parts: Iterable[MatchTest | bool]) -> MatchTest | bool:
    open_parts = []
    for part in parts:
        if part is False:
            return False
        if part is not True:
            open_parts.append(part)
    if not open_parts:
        return True
    if len(open_parts) == 1:
        return open_parts[0]
    return lambda touchpoint, traits: all(part(touchpoint, traits) for part in open_parts)


def _opposite(part: MatchTest) -> MatchTest:
    return lambda touchpoint, traits: not part(touchpoint, traits)


def _where(tests: PathTests) -> MatchTest:
    passes, read = compile_tests(tests.tests), reader_of(tests.path)
    return lambda touchpoint, traits: passes(read(touchpoint, traits))


def reader_of(path: Path) -> ValueReader:
    """Return what reads the value at *path*, which names properties, context or traits first."""
    root, *rest = path
    inner = tuple(rest)
    match root:
        case "properties":
            return lambda touchpoint, _: at_path(touchpoint.properties, inner)
        case "context":
            return lambda touchpoint, _: at_path(touchpoint.context, inner)
        case _:
            return lambda _, traits: at_path(traits, inner)


def _equal(operand: JsonValue) -> ValueTest:
    return lambda value: value is not None and same(value, operand)


def _unequal(operand: JsonValue) -> ValueTest:
    return lambda value: value is None or not same(value, operand)


def _one_of(operand: JsonValue) -> ValueTest:
    choices = operand if isinstance(operand, list) else []
    return lambda value: value is not None and any(same(value, choice) for choice in choices)


def _contains(operand: JsonValue) -> ValueTest:
    def passes(value: JsonValue) -> bool:
        if isinstance(value, str):
            return isinstance(operand, str) and operand in value
        return isinstance(value, list) and any(same(item, operand) for item in value)

    return passes


def _prefix(operand: JsonValue) -> ValueTest:
    prefix = operand if isinstance(operand, str) else ""
    return lambda value: isinstance(value, str) and value.startswith(prefix)


def _exists(operand: JsonValue) -> ValueTest:
    return lambda value: (value is not None) is operand


def _ordered(order: Callable[[float | str, float | str], bool]) -> Callable[[JsonValue], ValueTest]:
    """Compare numbers with numbers and strings with strings, by code point."""

    def compile_order(operand: JsonValue) -> ValueTest:
        if isinstance(operand, str):
            return lambda value: isinstance(value, str) and order(value, operand)
        if is_number(operand):
            return lambda value: is_number(value) and order(value, operand)
        return lambda _: False

    return compile_order


_VALUE_TESTS: Final[Mapping[Operator, Callable[[JsonValue], ValueTest]]] = {
    "eq": _equal,
    "ne": _unequal,
    "gt": _ordered(operator.gt),
    "gte": _ordered(operator.ge),
    "lt": _ordered(operator.lt),
    "lte": _ordered(operator.le),
    "in": _one_of,
    "contains": _contains,
    "prefix": _prefix,
    "exists": _exists,
}
