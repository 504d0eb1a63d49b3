"""A request's body into items, each with its bytes as sent; pure.

There are four forms: one object, ``{"touchpoints": [...]}``, an array, and lines of objects
(NDJSON). The body alone tells which one it is; the Content-Type is not looked at.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, takewhile
from typing import Final

import msgspec

from shared.acceptance.hostile_bodies import (
    is_perhaps_hostile,
    opens_items,
    split_hostile,
)
from shared.acceptance.limits import MOST_ITEMS
from shared.acceptance.reasons import Reason
from shared.acceptance.values import is_json
from shared.errors import TooLarge, Unreadable

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_LINE: Final = re.compile(rb"\S[^\n]*")
_one_value: Final = msgspec.json.Decoder(msgspec.Raw)


@dataclass(frozen=True, slots=True)
class Sent:
    """The items of one request in order; ``as_lines`` if one that is no JSON fails alone."""

    items: tuple[bytes, ...]
    as_lines: bool = False


def split(body: bytes, *, most_items: int = MOST_ITEMS) -> Sent:
    """Find the items in *body*.

    Only the frame around the items is read here; whether each item is JSON of the right kind
    shows when it is read itself.

    Raises:
        Unreadable: It is none of the four forms; code ``bad_json``, or ``empty_body``.
        TooLarge: There are more than *most_items*; code ``too_many_items``.
    """
    text = body.removeprefix(_BYTE_ORDER_MARK).strip()
    if not text:
        raise Unreadable("The request's body is empty.", code="empty_body")
    try:
        sent = _split_value(text, most_items)
    except (msgspec.DecodeError, RecursionError) as error:
        sent = _split_otherwise(text, most_items, str(error))
    if len(sent.items) > most_items:
        raise TooLarge(
            f"The request holds more than {most_items} items; send fewer at a time.",
            code="too_many_items",
        )
    return sent


def _split_value(text: bytes, most_items: int) -> Sent:
    """Take *text* as one JSON value."""
    if text.startswith(b"["):
        return Sent(members_of(_array_decoder(most_items).decode(text)))
    if opens_items(text):
        try:
            (array,) = msgspec.structs.astuple(_wrapper_decoder(most_items).decode(text))
        except msgspec.ValidationError:
            return Sent((text,))  # with other members beside it; refused as an item
        return Sent(members_of(array))
    _one_value.decode(text)
    return Sent((text,))


def _split_otherwise(text: bytes, most_items: int, objection: str) -> Sent:
    """Take *text* as lines, or as one value that only its content makes hard to read."""
    lines = _lines_in(text, most_items)
    if lines:
        return Sent(lines, as_lines=True)
    if is_perhaps_hostile(text):
        return Sent(split_hostile(text, most_items))
    raise Unreadable(f"The body is not JSON: {objection}.", code=Reason.BAD_JSON)


def _lines_in(text: bytes, most_items: int) -> tuple[bytes, ...]:
    """Return the lines of *text* if they are items of their own, else nothing.

    They are if the first one is JSON, or a later one is an object and none is an object with a
    comma behind it: that would be an array of which an end is missing.
    """
    lines = tuple(match[0].rstrip() for match in islice(_LINE.finditer(text), most_items + 1))
    if len(lines) == 1 or lines[0] == b"{" or opens_items(text):
        return ()
    if is_json(lines[0]):
        return lines
    whole = any(line.startswith(b"{") and is_json(line) for line in lines)
    parts = any(line.endswith(b",") and is_json(line[:-1]) for line in lines)
    return lines if whole and not parts else ()


@lru_cache
def array_type(most_items: int) -> type[msgspec.Struct]:
    """Return a type that takes one member more than allowed and skips all others.

    A list would first hold millions of members before they could be counted.
    """
    places = [(f"item_{place}", msgspec.Raw, msgspec.UNSET) for place in range(most_items + 1)]
    return msgspec.defstruct("Items", places, array_like=True)


@lru_cache
def _array_decoder(most_items: int) -> msgspec.json.Decoder[msgspec.Struct]:
    return msgspec.json.Decoder(array_type(most_items))


@lru_cache
def _wrapper_decoder(most_items: int) -> msgspec.json.Decoder[msgspec.Struct]:
    members = [("touchpoints", array_type(most_items))]
    return msgspec.json.Decoder(msgspec.defstruct("Wrapper", members, forbid_unknown_fields=True))


def members_of(array: msgspec.Struct) -> tuple[bytes, ...]:
    """Return the members in an array that was decoded as an ``array_type``."""
    members = msgspec.structs.astuple(array)
    return tuple(map(bytes, takewhile(lambda member: member is not msgspec.UNSET, members)))
