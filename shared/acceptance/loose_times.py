"""Times as senders of other formats write them, into RFC 3339; pure."""

import re
from typing import Final

from shared.instants import EARLIEST, LATEST, SECOND, rfc3339
from shared.touchpoints import JsonValue

_LOOSE: Final = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
    r"(?:[Tt ](?P<hour>\d{1,2}):(?P<minute>\d{1,2})"
    r"(?::(?P<second>\d{1,2})(?:[.,](?P<fraction>\d{1,30}))?)?)?"
    r"\s?(?P<zone>[Zz]|UTC|GMT|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
_USUAL: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,30})?Z", re.ASCII)
_FIRST_MILLISECONDS: Final = 100_000_000_000
"""Numbers from here on are milliseconds since 1970 (this one is in 1973), smaller ones seconds."""


def loose_rfc3339(value: JsonValue) -> str | None:
    """Return *value* as RFC 3339 would have it; None if it is no time.

    Months, days and the parts of the clock may have one digit; without a zone it is UTC; without a
    clock it is midnight. A number is seconds, or milliseconds, since 1970. What is returned has
    the right form; whether there is such a day shows when it is read.
    """
    if isinstance(value, str):
        return value if _USUAL.fullmatch(value) else _in_full(value.strip())
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LATEST:
        return _since_1970(value)
    return None


def _in_full(text: str) -> str | None:
    match = _LOOSE.fullmatch(text)
    if match is None:
        return None
    part = match.groupdict(default="")
    clock = ":".join(part[name].zfill(2) for name in ("hour", "minute", "second"))
    fraction = f".{part['fraction']}" if part["fraction"] else ""
    day = f"{part['year']}-{part['month'].zfill(2)}-{part['day'].zfill(2)}"
    return f"{day}T{clock}{fraction}{_offset(part['zone'])}"


def _offset(zone: str) -> str:
    if zone[:1] not in ("+", "-"):
        return "Z"
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return f"{zone[0]}{digits[:2]}:{digits[2:]}"


def _since_1970(number: float) -> str | None:
    scale = SECOND // 1_000 if abs(number) >= _FIRST_MILLISECONDS else SECOND
    instant = round(number * scale)
    return rfc3339(instant) if EARLIEST <= instant <= LATEST else None
