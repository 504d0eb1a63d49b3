"""The answer to a request whose items are all in the log; pure."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from shared.errors import Fault
from shared.records import Record, TouchpointRecord


class ItemVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one item; ``index`` is its place in the request.

    An accepted one has no ``code`` and ``message`` and tells its ``flags`` if it has any, a
    rejected one why it was rejected and the
    ``quarantine_id`` under which it can be repaired.
    """

    index: int
    event_id: str | None
    status: Literal["accepted", "rejected"]
    code: str | None = None
    message: str | None = None
    flags: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    errors: tuple[Fault, ...] | msgspec.UnsetType = msgspec.UNSET
    quarantine_id: str | msgspec.UnsetType = msgspec.UNSET


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How many items of a request were accepted and rejected, and each of them in order.

    ``durability`` stands there if some of them wait in this server's spool until the log is back:
    durable, but not yet on their way to the timelines.
    """

    source: str
    accepted: int
    rejected: int
    durability: Literal["spooled"] | msgspec.UnsetType = msgspec.UNSET
    results: list[ItemVerdict]


def verdict_on(source: str, records: Sequence[Record], *, is_spooled: bool = False) -> Verdict:
    """Return the verdict on a request whose items became *records*, in order."""
    results = [_item_verdict(index, record) for index, record in enumerate(records)]
    accepted = sum(result.status == "accepted" for result in results)
    return Verdict(
        source=source,
        accepted=accepted,
        rejected=len(results) - accepted,
        durability="spooled" if is_spooled else msgspec.UNSET,
        results=results,
    )


def _item_verdict(index: int, record: Record) -> ItemVerdict:
    if isinstance(record, TouchpointRecord):
        flags = record.data.flags or msgspec.UNSET
        return ItemVerdict(index=index, event_id=record.id, status="accepted", flags=flags)
    return ItemVerdict(
        index=index,
        event_id=record.data.event_id,
        status="rejected",
        code=record.data.reason,
        message=record.data.message,
        errors=record.data.errors,
        quarantine_id=record.id,
    )
