"""Event ids for touchpoints that came without one: the same content has the same id; pure."""

import hashlib
from collections.abc import Callable
from typing import Final, cast

import rfc8785

from shared.touchpoints import JsonObject, JsonValue

_LARGEST_EXACT: Final = 2**53 - 1
"""RFC 8785 takes numbers as doubles, which hold no larger integers."""

_canonical: Final = cast("Callable[[JsonValue], bytes]", rfc8785.dumps)


def derived_id(content: JsonObject, *, ordinal: int = 0) -> str:
    """Return the id that follows from *content*, whatever the order of its members.

    It is the hexadecimal SHA-256 of the canonical JSON, in which integers beyond 2^53 stand as
    strings (RFC 8785, appendix D).

    Args:
        content: The normalised source, type, channel, occurred_at, customer, properties, traits
            and text.
        ordinal: In files, how many equal rows came before this one: two equal rows are two.
    """
    numbered = {**content, "ordinal": ordinal} if ordinal else content
    try:
        canonical = _canonical(numbered)
    except rfc8785.IntegerDomainError:
        canonical = _canonical(_exact(numbered))
    return hashlib.sha256(canonical).hexdigest()


def _exact(value: JsonValue) -> JsonValue:
    match value:
        case int() if abs(value) > _LARGEST_EXACT:
            return str(value)
        case list():
            return [_exact(member) for member in value]
        case dict():
            return {name: _exact(member) for name, member in value.items()}
        case _:
            return value
