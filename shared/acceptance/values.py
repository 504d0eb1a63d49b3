"""One item's bytes into JSON values that nothing behind ingest can stumble over; pure.

PostgreSQL, the fold and other readers of the log each break on some JSON: NUL and lone
surrogates, integers beyond 64 bits, floats beyond a double, members named by whole documents,
nesting without end. All of that is settled here, once.
"""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Final, NoReturn, cast

import msgspec

from shared.acceptance.faults import refusal
from shared.acceptance.limits import (
    DEEPEST,
    LARGEST_INTEGER,
    LONGEST_NAME,
    MOST_FAULTS,
    SMALLEST_INTEGER,
)
from shared.acceptance.reasons import Reason
from shared.errors import Fault, Invalid
from shared.touchpoints import JsonObject, JsonValue

NUL: Final = "\0"
REPLACEMENT: Final = "\ufffd"
ESCAPED_NUL: Final = rb"\u0000"
"""Raw NUL is not JSON, so there is none without this."""

_any: Final = msgspec.json.Decoder(object)

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_INFINITE: Final = float("inf")


class BadJsonError(ValueError):
    """Bytes that are no JSON text in UTF-8; the message says where."""


def read_object(raw: bytes) -> JsonObject:
    """Read one item; NUL may still be in it.

    Raises:
        BadJsonError: *raw* is not JSON.
        Invalid: It is JSON, but no object or over a limit; ``faults`` name the first places.
    """
    value = read_any(raw)
    check_values(value)
    if not isinstance(value, dict):
        raise refusal([Fault("", Reason.NOT_AN_OBJECT, "must be a JSON object")])
    return value


def check_values(value: JsonValue) -> None:
    """Check that *value* and all in it are within the limits.

    Raises:
        Invalid: ``faults`` name the first places where they are not.
    """
    faults = list(islice(faults_in(value), MOST_FAULTS))
    if faults:
        raise refusal(faults)


def is_json(raw: bytes) -> bool:
    """Tell whether *raw* is one JSON text, however hostile."""
    try:
        read_object(raw)
    except BadJsonError:
        return False
    except Invalid:
        return True
    return True


def read_any(raw: bytes) -> JsonValue:
    """Read any JSON, also what msgspec refuses for its values: that comes out as faults later.

    Nothing is checked against a limit but the depth, and NUL may still be in it.

    Raises:
        BadJsonError: *raw* is not JSON.
        Invalid: It is nested too deep to be read.
    """
    try:
        return _any.decode(raw)
    except RecursionError:
        raise refusal([_too_deep("")]) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _read_hostile(raw, str(error))


def _read_hostile(raw: bytes, objection: str) -> JsonValue:
    """Read what the standard library, unlike msgspec, lets through: surrogates, huge numbers."""
    try:
        return cast(
            "JsonValue",
            json.loads(raw.decode(), parse_int=_bounded_int, parse_constant=_refuse_constant),
        )
    except RecursionError:
        raise refusal([_too_deep("")]) from None
    except ValueError:
        raise BadJsonError(objection) from None


def _bounded_int(digits: str) -> float:
    # 4,300 digits are as many as Python reads; twenty are past every limit already.
    return int(digits) if len(digits) <= 20 else _INFINITE  # noqa: PLR2004


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def faults_in(value: JsonValue, path: str = "", depth: int = 1) -> Iterator[Fault]:
    """Yield what in *value* is over a limit, in document order.

    Args:
        value: A JSON value; infinite floats stand for numbers too large to read.
        path: Where it stands.
        depth: Its level if it is an object or an array; what is too deep is not looked into.
    """
    if isinstance(value, dict | list):
        if depth > DEEPEST:
            yield _too_deep(path)
        elif isinstance(value, dict):
            yield from _faults_in_object(value, path, depth)
        else:
            yield from _faults_in_array(value, path, depth)
    elif (found := _leaf_fault(value)) is not None:
        yield Fault(path, *found)


def _faults_in_object(value: JsonObject, path: str, depth: int) -> Iterator[Fault]:
    for name, member in value.items():
        if len(name) > LONGEST_NAME:
            message = f"has a member whose name is longer than {LONGEST_NAME} characters"
            yield Fault(path, Reason.TOO_LONG, message)
        elif _half_a_pair_in(name):
            message = "has a member whose name holds half a surrogate pair"
            yield Fault(path, Reason.LONE_SURROGATE, message)
        elif isinstance(member, dict | list) or _leaf_fault(member) is not None:
            yield from faults_in(member, f"{path}.{name}" if path else name, depth + 1)


def _faults_in_array(value: list[JsonValue], path: str, depth: int) -> Iterator[Fault]:
    for place, member in enumerate(value):
        if isinstance(member, dict | list) or _leaf_fault(member) is not None:
            yield from faults_in(member, f"{path}[{place}]", depth + 1)


def _leaf_fault(value: JsonValue) -> tuple[Reason, str] | None:
    if isinstance(value, str):
        if _half_a_pair_in(value):
            return Reason.LONE_SURROGATE, "must not hold half a surrogate pair"
    elif isinstance(value, int):
        if not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
            return Reason.NUMBER_OUT_OF_RANGE, "must lie between -2^63 and 2^63 - 1"
    elif isinstance(value, float) and value in (_INFINITE, -_INFINITE):
        return Reason.NUMBER_OUT_OF_RANGE, "must be a number that a double can hold"
    return None


def _half_a_pair_in(text: str) -> bool:
    return not text.isascii() and _SURROGATE.search(text) is not None


def _too_deep(path: str) -> Fault:
    return Fault(path, Reason.TOO_DEEP, f"must not be nested deeper than {DEEPEST} levels")


def _without_nul(value: JsonValue) -> JsonValue:
    match value:
        case str():
            return value.replace(NUL, REPLACEMENT)
        case list():
            return [_without_nul(member) for member in value]
        case dict():
            return object_without_nul(value)
        case _:
            return value


def object_without_nul(value: JsonObject) -> JsonObject:
    """Return *value* with U+FFFD for each NUL, in the names of members too."""
    return {name.replace(NUL, REPLACEMENT): _without_nul(member) for name, member in value.items()}
