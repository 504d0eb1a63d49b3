"""The times of one item: as the sender gave them, and the one that counts; pure."""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from shared.acceptance.faults import Findings
from shared.acceptance.native import Given
from shared.acceptance.reasons import Reason
from shared.acceptance.terms import Terms
from shared.acceptance.times import effective_time, read_time
from shared.instants import datetime_of, instant_of


class Times(NamedTuple):
    """Times of an item as its record holds them, in UTC; None where the sender gave none."""

    occurred_at: datetime | None
    sent_at: datetime | None
    effective_at: datetime


def times_of(given: Given, terms: Terms, found: Findings) -> Times:
    """Return the times of *given*; if a fault is noted, they mean nothing."""
    occurred_at = _read(read_time, given.occurred_at, "occurred_at", found)
    sent_at = _read(_read_sent, given.sent_at, "sent_at", found)
    return Times(occurred_at, sent_at, _effective_at(occurred_at, sent_at, terms, found))


@lru_cache(256)
def _read_sent(text: str) -> datetime:
    """Read when something was sent: the same for all items of most requests."""
    return read_time(text)


def _read(
    read: Callable[[str], datetime], text: str | None, name: str, found: Findings
) -> datetime | None:
    if text is None:
        return None
    try:
        return read(text)
    except ValueError as error:
        found.fault(name, Reason.INVALID_TIME, f"must be a time: {text[:40]!r} {error}")
        return None


def _effective_at(
    occurred_at: datetime | None, sent_at: datetime | None, terms: Terms, found: Findings
) -> datetime:
    """Return the time that counts; usually there is nothing to remark on it."""
    if occurred_at is None:
        return terms.received
    if sent_at is None or not terms.corrects_skew:
        if terms.earliest_usual <= occurred_at <= terms.latest_usual:
            return occurred_at
        return _remarkable(occurred_at, None, terms, found)
    skew = terms.received - sent_at
    if abs(skew) <= terms.skew_limit:
        try:
            at = occurred_at + skew
        except OverflowError:
            return _remarkable(occurred_at, sent_at, terms, found)
        if terms.earliest_usual <= at <= terms.latest_usual:
            return at
    return _remarkable(occurred_at, sent_at, terms, found)


def _remarkable(
    occurred_at: datetime, sent_at: datetime | None, terms: Terms, found: Findings
) -> datetime:
    try:
        at, flags = effective_time(
            instant_of(occurred_at),
            None if sent_at is None else instant_of(sent_at),
            received_at=terms.received_at,
            skew_limit=terms.source.settings.skew_limit,
        )
    except ValueError as error:
        found.fault("occurred_at", Reason.INVALID_TIME, str(error))
        return terms.received
    for flag in flags:
        found.flag(flag)
    return datetime_of(at)
