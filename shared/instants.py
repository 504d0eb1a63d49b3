"""Instants: microseconds since 1970-01-01T00:00:00Z as plain integers.

The fold compares and adds times millions of times a second, and a deadline may lie beyond
what ``datetime`` can hold; integers do both. ``datetime`` appears only where a driver or a
person needs one.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

Instant: TypeAlias = int
"""Microseconds since the Unix epoch, UTC; negative before 1970."""

Micros: TypeAlias = int
"""A length of time in microseconds."""

SECOND: Final[Micros] = 1_000_000
MINUTE: Final[Micros] = 60 * SECOND
HOUR: Final[Micros] = 60 * MINUTE
DAY: Final[Micros] = 24 * HOUR

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

EARLIEST: Final[Instant] = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // _MICROSECOND
LATEST: Final[Instant] = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND

_RFC3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def instant_of(moment: datetime) -> Instant:
    """Return *moment* as an instant.

    Args:
        moment: An aware datetime; any offset.

    Raises:
        TypeError: *moment* is naive.
    """
    return (moment - EPOCH) // _MICROSECOND


def datetime_of(instant: Instant) -> datetime:
    """Return *instant* as an aware UTC datetime.

    Raises:
        OverflowError: *instant* lies outside the years 1-9999.
    """
    return EPOCH + timedelta(microseconds=instant)


def rfc3339(instant: Instant) -> str:
    """Write *instant* as RFC 3339 UTC with ``Z``; fractions only when there are any.

    Raises:
        OverflowError: *instant* lies outside the years 1-9999.
    """
    moment = datetime_of(instant)
    text = moment.strftime("%H:%M:%S")
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d}T{text}{fraction}Z"


def parse_rfc3339(text: str) -> Instant:
    """Read an RFC 3339 time, which always has an offset; white space around it is ignored.

    Digits beyond microseconds are cut off, a leap second is the first instant after it. A space
    for ``T`` and lower-case letters are read too, as section 5.6 of RFC 3339 allows.

    Raises:
        ValueError: *text* is not such a time, or its UTC lies outside the years 1-9999.
    """
    match = _RFC3339.fullmatch(text.strip())
    if match is None:
        raise ValueError("is not an RFC 3339 time with an offset, such as 2026-01-05T10:00:00Z")
    day, clock, second, fraction, offset = match.groups()
    leap = second == "60"
    local = datetime.fromisoformat(f"{day}T{clock}:{'59' if leap else second}{offset.upper()}")
    instant = instant_of(local) + int((fraction or "").ljust(6, "0")[:6])
    if leap:
        instant = instant_of(local) + SECOND
    if not EARLIEST <= instant <= LATEST:
        raise ValueError("lies outside the years 1-9999 in UTC")
    return instant
