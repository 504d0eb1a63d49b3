"""Reading: log records into items, before any database is asked; pure."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID, uuid5

import msgspec

from shared.instants import Instant, datetime_of, instant_of
from shared.log.port import LogRecord
from shared.records import (
    RAW_KEPT_BYTES,
    ErasedRecord,
    RejectedData,
    RejectedRecord,
    TouchpointRecord,
    decode_event,
)
from shared.touchpoints import Identifier, Touchpoint

_UNREADABLE = UUID("5f0d3f0e-6a0c-5b39-9d0b-0d8a54a0f1e7")
"""Name space of quarantine ids for records that are no CloudEvents of ours."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An accepted touchpoint at its offset, in the two forms that are needed of it."""

    offset: int
    record: TouchpointRecord
    touchpoint: Touchpoint
    identifiers: tuple[Identifier, ...]
    """The primary one first."""

    @property
    def identity(self) -> tuple[str, str]:
        """Source and event id: what makes a touchpoint the same."""
        return self.touchpoint.source, self.touchpoint.event_id


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record on its way into the quarantine."""

    offset: int
    quarantine_id: UUID
    source: str
    data: RejectedData


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A record of which nothing is kept, because a person was erased; ``accepted`` by ingest."""

    offset: int
    source: str
    received_at: datetime
    accepted: bool


Item: TypeAlias = Arrival | Refusal | Suppressed


def read_record(record: LogRecord) -> Item:
    """Read one log record; what cannot be read becomes a refusal, never an error."""
    try:
        event = decode_event(record.value)
        if isinstance(event, RejectedRecord):
            return Refusal(record.offset, UUID(event.id), event.sender, event.data)
        if isinstance(event, ErasedRecord):
            data = event.data
            return Suppressed(record.offset, event.sender, data.received_at, data.accepted)
        return arrival_of(record.offset, event)
    except (msgspec.DecodeError, ValueError, IndexError) as error:
        return refusal_of(record, f"not a record of this system: {error}", code="bad_record")


def arrival_of(offset: int, record: TouchpointRecord) -> Arrival:
    """Return *record* as the fold sees it, with its identifiers.

    Raises:
        ValueError: it has no identifier, or one that is not ``kind:value``.
    """
    return Arrival(offset, record, record.touchpoint, record.identifiers)


def refusal_of(record: LogRecord, message: str, *, code: str) -> Refusal:
    """Return the refusal for a record that only the classifier found to be wrong.

    Its quarantine id follows from its position, so that reading it again changes nothing.
    """
    return Refusal(
        record.offset,
        uuid5(_UNREADABLE, f"{record.partition}/{record.offset}/{record.key.hex()}"),
        "unknown",
        RejectedData(
            reason=code,
            message=message,
            received_at=datetime_of(record.appended_at),
            raw=record.value[:RAW_KEPT_BYTES],
            raw_length=len(record.value),
            raw_sha256=hashlib.sha256(record.value).hexdigest(),
        ),
    )


def read_through_of(items: Sequence[Item]) -> Instant:
    """Return the time of receipt of the last item: all before it have been read."""
    return instant_of(received_at_of(items[-1]))


def received_at_of(item: Item) -> datetime:
    """Return when ingest received *item*."""
    match item:
        case Arrival():
            return item.record.data.received_at
        case Refusal():
            return item.data.received_at
        case Suppressed():
            return item.received_at


def suppressed(item: Arrival | Refusal) -> Suppressed:
    """Return what is left of *item* where nothing of it may be kept."""
    is_arrival = isinstance(item, Arrival)
    source = item.touchpoint.source if isinstance(item, Arrival) else item.source
    return Suppressed(item.offset, source, received_at_of(item), is_arrival)


def first_arrivals(items: Iterable[Item]) -> dict[tuple[str, str], Arrival]:
    """Return the first arrival of each identity, in the order of offsets."""
    first: dict[tuple[str, str], Arrival] = {}
    for item in items:
        if isinstance(item, Arrival):
            first.setdefault(item.identity, item)
    return first
