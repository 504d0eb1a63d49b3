"""Matchers as conditions of SQL, which say the same as ``shared/journey/matchers.py`` does.

Numbers are compared as they are written, in decimal: that differs from the fold only between an
integer above 2^53 and a number that was sent with a point or an exponent.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec

from services.api.readers.arguments import Arguments
from shared.journey.matchers import Comparison, Matcher, Operator, PathTests
from shared.touchpoints import JsonValue

_TestSql: TypeAlias = Callable[[str, JsonValue, Arguments], str]
"""Returns what is true exactly where a value, SQL of type jsonb or NULL, passes."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Where a statement has what a matcher asks for, as SQL.

    ``roots`` are objects of type json, by what paths begin with; paths under others match nothing.
    """

    channel: str
    type: str
    source: str
    roots: Mapping[str, Callable[[str], str]]


def member(document: str) -> Callable[[str], str]:
    """Return what finds a member of *document*, SQL of type json, by its name as SQL."""
    return lambda name: f"({document} -> {name})"


def condition_of(matcher: Matcher, columns: Columns, arguments: Arguments) -> str:
    """Return the condition, never NULL, that holds where *matcher* matches."""
    parts = [
        f"{column} = ANY({arguments.add(sorted(wanted), 'text[]')})"
        for column, wanted in (
            (columns.channel, matcher.channel),
            (columns.type, matcher.type),
            (columns.source, matcher.source),
        )
        if wanted
    ]
    parts += [_where(tests, columns, arguments) for tests in matcher.where]
    parts += [condition_of(part, columns, arguments) for part in matcher.all]
    if matcher.any:
        parts.append(
            _joined(" OR ", [condition_of(part, columns, arguments) for part in matcher.any])
        )
    if matcher.negated is not None:
        parts.append(f"NOT {condition_of(matcher.negated, columns, arguments)}")
    return _joined(" AND ", parts)


def _joined(word: str, parts: list[str]) -> str:
    return f"({word.join(parts)})" if parts else "true"


def _where(tests: PathTests, columns: Columns, arguments: Arguments) -> str:
    root, first, *rest = tests.path
    if root not in columns.roots:
        value = "NULL::jsonb"
    else:
        value = columns.roots[root](arguments.add(first, "text"))
        for name in rest:
            value = f"({value} -> {arguments.add(name, 'text')})"
        value = f"nullif({value}::jsonb, 'null')"
    return _joined(" AND ", [_test(test, value, arguments) for test in tests.tests])


def _test(test: Comparison, value: str, arguments: Arguments) -> str:
    return _TESTS[test.operator](value, test.operand, arguments)


def _json(operand: JsonValue, arguments: Arguments) -> str:
    return f"{arguments.add(msgspec.json.encode(operand).decode(), 'text')}::jsonb"


def _equal(value: str, operand: JsonValue, arguments: Arguments) -> str:
    return f"({value} = {_json(operand, arguments)}) IS TRUE"


def _unequal(value: str, operand: JsonValue, arguments: Arguments) -> str:
    return f"({value} = {_json(operand, arguments)}) IS NOT TRUE"


def _one_of(value: str, operand: JsonValue, arguments: Arguments) -> str:
    choices = operand if isinstance(operand, list) else []
    written = [msgspec.json.encode(choice).decode() for choice in choices]
    return f"({value} = ANY({arguments.add(written, 'text[]')}::jsonb[])) IS TRUE"


def _contains(value: str, operand: JsonValue, arguments: Arguments) -> str:
    within = "false"
    if isinstance(operand, str):
        within = f"strpos({value} #>> '{{}}', {arguments.add(operand, 'text')}) > 0"
    listed = (
        f"EXISTS (SELECT FROM jsonb_array_elements({value}) item (value)"
        f" WHERE item.value = {_json(operand, arguments)})"
    )
    return (
        f"CASE jsonb_typeof({value}) WHEN 'string' THEN {within}"
        f" WHEN 'array' THEN {listed} ELSE false END"
    )


def _prefix(value: str, operand: JsonValue, arguments: Arguments) -> str:
    begins = f"starts_with({value} #>> '{{}}', {arguments.add(operand, 'text')})"
    return f"CASE jsonb_typeof({value}) WHEN 'string' THEN {begins} ELSE false END"


def _exists(value: str, operand: JsonValue, _: Arguments) -> str:
    return f"{value} IS {'NOT ' if operand else ''}NULL"


def _ordered(sign: str) -> _TestSql:
    def condition(value: str, operand: JsonValue, arguments: Arguments) -> str:
        if isinstance(operand, str):
            kind = "string"
            holds = f"({value} #>> '{{}}') COLLATE \"C\" {sign} {arguments.add(operand, 'text')}"
        else:
            kind, holds = "number", f"{value} {sign} {_json(operand, arguments)}"
        return f"CASE jsonb_typeof({value}) WHEN '{kind}' THEN {holds} ELSE false END"

    return condition


_TESTS: Final[Mapping[Operator, _TestSql]] = {
    "eq": _equal,
    "ne": _unequal,
    "gt": _ordered(">"),
    "gte": _ordered(">="),
    "lt": _ordered("<"),
    "lte": _ordered("<="),
    "in": _one_of,
    "contains": _contains,
    "prefix": _prefix,
    "exists": _exists,
}
