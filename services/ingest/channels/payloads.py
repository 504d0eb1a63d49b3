"""Looking into what vendors send without trusting its shape; pure.

Vendors add members, leave them out and change their types. So a member that is not of the type that
one asks for is absent, as in the native form null is; what has to be there is asked for by whoever
judges the touchpoint.
"""

import math
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import parse_qsl

from shared.acceptance.limits import LONGEST_NAME
from shared.acceptance.values import BadJsonError, read_any
from shared.errors import Invalid, Unreadable
from shared.touchpoints import JsonObject, JsonValue

MOST_FORM_FIELDS: Final = 1_000


class Payload:
    """One object of a vendor; names lead inwards from it."""

    __slots__ = ("_members",)

    def __init__(self, value: JsonValue) -> None:
        self._members: JsonObject = value if isinstance(value, dict) else {}

    def __bool__(self) -> bool:
        return bool(self._members)

    def at(self, *names: str) -> JsonValue:
        """Return the value at that place; None if there is none."""
        value: JsonValue = self._members
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def inner(self, *names: str) -> "Payload":
        """Return the object at that place; an empty one if there is none."""
        return Payload(self.at(*names))

    def each(self, *names: str) -> Iterator["Payload"]:
        """Yield the objects in the array at that place."""
        for value in self.values(*names):
            if isinstance(value, dict):
                yield Payload(value)

    def values(self, *names: str) -> list[JsonValue]:
        """Return the array at that place; an empty one if there is none."""
        value = self.at(*names)
        return value if isinstance(value, list) else []

    def text(self, *names: str) -> str | None:
        """Return the text at that place, or an integer's digits, however many; None if empty."""
        value = self.at(*names)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return (value.strip() or None) if isinstance(value, str) else None

    def number(self, *names: str) -> float | int | None:
        """Return the number at that place, also one that is written as text."""
        value = self.at(*names)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        return number_in(value) if isinstance(value, str) else None

    def items(self) -> Iterator[tuple[str, JsonValue]]:
        """Yield the members by name."""
        yield from self._members.items()

    def without(self, is_left_out: Callable[[str], bool]) -> JsonObject:
        """Return the members apart from those whose name *is_left_out*."""
        return {name: value for name, value in self.items() if not is_left_out(name)}

    def flag(self, *names: str) -> bool:
        """Tell whether there is a true at that place, also as ``"true"`` or 1."""
        return self.at(*names) in (True, "true", "True", "1")


def number_in(text: str) -> float | int | None:
    """Return the finite number that *text* is; None if it is none."""
    if len(text) > LONGEST_NAME or not text.isascii():
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and "." not in text else value


def json_in(body: bytes) -> JsonValue:
    """Read a whole body as JSON.

    Raises:
        Unreadable: It is not JSON; code ``bad_json``.
        Invalid: It is nested too deep.
    """
    try:
        return read_any(body)
    except BadJsonError as error:
        raise Unreadable(f"The body is not JSON: {error}.", code="bad_json") from None


def object_in(body: bytes) -> Payload:
    """Read a whole body as one JSON object; as for ``json_in``.

    Raises:
        Unreadable: It is not JSON; code ``bad_json``.
        Invalid: It is another value, or nested too deep.
    """
    value = json_in(body)
    if not isinstance(value, dict):
        raise Invalid("the body must be a JSON object", code="not_an_object")
    return Payload(value)


def form_in(body: bytes) -> list[tuple[str, str]]:
    """Read a whole body as a form; empty values count.

    Raises:
        Unreadable: It has too many fields; code ``too_many_fields``.
    """
    try:
        return parse_qsl(
            body.decode("utf-8", "replace"),
            keep_blank_values=True,
            max_num_fields=MOST_FORM_FIELDS,
        )
    except ValueError:
        message = f"the form has more than {MOST_FORM_FIELDS:,} fields"
        raise Unreadable(message, code="too_many_fields") from None
