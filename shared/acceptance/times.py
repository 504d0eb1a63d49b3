"""When a touchpoint counts: the sender's clock corrected, and never far in the future; pure."""

import re
from datetime import datetime
from typing import Final, NamedTuple

from shared.acceptance.reasons import Flag
from shared.instants import (
    DAY,
    EARLIEST,
    MINUTE,
    Instant,
    Micros,
    datetime_of,
    parse_rfc3339,
)

FUTURE_TOLERATED: Final[Micros] = 5 * MINUTE
TEN_YEARS: Final[Micros] = 3_653 * DAY

_USUAL: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", re.ASCII)


def read_time(text: str) -> datetime:
    """Read an RFC 3339 time as ``parse_rfc3339`` does, the usual form at a third of the cost.

    Raises:
        ValueError: *text* is not such a time, or its UTC lies outside the years 1-9999.
    """
    if _USUAL.fullmatch(text) and text[17:19] != "60":
        return datetime.fromisoformat(text)
    return datetime_of(parse_rfc3339(text))


class EffectiveTime(NamedTuple):
    """The time that counts, and what is to be remarked on it."""

    at: Instant
    flags: tuple[Flag, ...] = ()


def effective_time(
    occurred_at: Instant | None,
    sent_at: Instant | None,
    *,
    received_at: Instant,
    skew_limit: Micros,
) -> EffectiveTime:
    """Return when a touchpoint counts as having happened.

    A sender that says when it sent shows how far its clock is off, provided that the difference
    is one of clocks and not of a long wait: at most *skew_limit*.

    Args:
        occurred_at: What the sender said; without it the touchpoint happened at its receipt.
        sent_at: The sender's time of this attempt to send; None where it gave none, or where
            time passes between sending and receipt by design, as with files.
        received_at: Our own time of receipt.
        skew_limit: The largest difference between the clocks that is believed.

    Raises:
        ValueError: The corrected time lies before the year 1.

    Source: the correction is that of the Segment specification, "Timestamps".
    """
    if occurred_at is None:
        return EffectiveTime(received_at)
    flags: tuple[Flag, ...] = ()
    at = occurred_at
    if sent_at is not None:
        skew = received_at - sent_at
        if abs(skew) <= skew_limit:
            at += skew
        else:
            flags = (Flag.SKEW_IGNORED,)
    latest = received_at + FUTURE_TOLERATED
    if at > latest:
        return EffectiveTime(latest, (*flags, Flag.TIME_CLAMPED))
    if at < EARLIEST:
        raise ValueError("lies before the year 1 once corrected by sent_at")
    if at < 0 or at < received_at - TEN_YEARS:
        flags = (*flags, Flag.TIME_OLD)
    return EffectiveTime(at, flags)
