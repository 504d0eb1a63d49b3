"""The times of one item: as the sender gave them, and the one that counts; pure."""

from datetime import datetime
from typing import NamedTuple

from shared.acceptance.faults import Findings
from shared.acceptance.native import Given
from shared.acceptance.reasons import Reason
from shared.acceptance.terms import Terms
from shared.acceptance.times import Moment, effective_time, read_moment
from shared.instants import datetime_of


class Times(NamedTuple):
    """Times of an item as its record holds them, in UTC; None where the sender gave none."""

    occurred_at: datetime | None
    sent_at: datetime | None
    effective_at: datetime


def times_of(given: Given, terms: Terms, found: Findings) -> Times:
    """Return the times of *given*; if a fault is noted, they mean nothing."""
    occurred_at = _moment(given.occurred_at, "occurred_at", found)
    sent_at = _moment(given.sent_at, "sent_at", found)
    return Times(
        None if occurred_at is None else occurred_at.written,
        None if sent_at is None else sent_at.written,
        _effective_at(occurred_at, sent_at, terms, found),
    )


def _moment(text: str | None, name: str, found: Findings) -> Moment | None:
    if text is None:
        return None
    try:
        return read_moment(text)
    except ValueError as error:
        found.fault(name, Reason.INVALID_TIME, f"must be a time: {text[:40]!r} {error}")
        return None


def _effective_at(
    occurred_at: Moment | None, sent_at: Moment | None, terms: Terms, found: Findings
) -> datetime:
    if occurred_at is None:
        return terms.received
    try:
        at, flags = effective_time(
            occurred_at.at,
            sent_at.at if sent_at and terms.corrects_skew else None,
            received_at=terms.received_at,
            skew_limit=terms.source.settings.skew_limit,
        )
    except ValueError as error:
        found.fault("occurred_at", Reason.INVALID_TIME, str(error))
        return terms.received
    for flag in flags:
        found.flag(flag)
    return occurred_at.written if at == occurred_at.at else datetime_of(at)
