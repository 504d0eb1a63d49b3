"""Sweeping: what spools hold of people who were erased, overwritten where it lies.

A spool may wait for Kafka as long as it likes; an erasure does not wait for that. What is left of a
record is what the classifier would have made of it, and the drain brings that to the log.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.clock import Clock
from shared.erasure import Digests, Erased, Remembered, in_force, left_unread
from shared.log.port import Entry, LogRecord
from shared.log.spool import Spool
from shared.log.spool_writer import SpoolingWriter
from shared.records import ErasedRecord, Event, decode_event, encode, key_of
from shared.storage.erasures import (
    HOLD_OFF_ERASURES,
    erased_among,
    newest_erasure,
    remember_erased,
)
from shared.upkeep.transactions import transaction

log = structlog.get_logger()

_NEVER: Final = -1


class SpoolSweep:
    """Goes through the spools of one process after every erasure, and through what came since.

    Args:
        engine: Of the database; stays the caller's.
        writer: Knows the spools.
        clock: The present.
        digests: Recognise what was erased.
    """

    def __init__(
        self, engine: AsyncEngine, writer: SpoolingWriter, clock: Clock, digests: Digests
    ) -> None:
        self._engine = engine
        self._writer = writer
        self._clock = clock
        self._digests = digests
        self._newest: dict[str, int] = {}
        self._reached: dict[str, int] = {}

    def swept_for(self, name: str) -> int:
        """Return the number of the newest erasure after which the spool *name* was gone through."""
        return max(0, self._newest.get(name, _NEVER))

    async def sweep(self) -> int:
        """Overwrite what is held of erased people.

        Returns:
            How many records were overwritten.

        Raises:
            DatabaseUnavailable: the database cannot be asked; the next sweep does it.
            LogUnavailable: a spool cannot be read or written; likewise.
            LogDamaged: a record does not match its checksum.
        """
        async with transaction(self._engine) as connection:
            newest = await newest_erasure(connection)
        if not newest:
            return 0
        return sum([await self._sweep(spool, newest) for spool in self._writer.spools()])

    async def _sweep(self, spool: Spool, newest: int) -> int:
        name = spool.waiting.name
        is_news = self._newest.get(name, _NEVER) != newest
        offset = 0 if is_news else self._reached.get(name, 0)
        overwritten = 0
        while spool.depth and (records := await spool.page(offset)):
            overwritten += await self._clear(spool, records)
            offset = records[-1].offset + 1
        if is_news or overwritten:
            # Also what the log has by now: its bytes may lie in the file's write-ahead log.
            await spool.forget()
        if overwritten:
            log.info("spool_swept", overwritten=overwritten)
        self._newest[name], self._reached[name] = newest, offset
        return overwritten

    async def _clear(self, spool: Spool, records: Sequence[LogRecord]) -> int:
        events = list(_events(records))
        made = {digest for _, event in events for digest in self._digests.all_in(event)}
        async with transaction(self._engine) as connection:
            await connection.execute(HOLD_OFF_ERASURES)
            found = await erased_among(connection, made)
            left = [
                (each, event, left_unread(event, self._digests, found)) for each, event in events
            ]
            changed = [one for one in left if one[1] is not one[2]]
            kinds, certificates = self._remembered([event for _, event, _ in changed], found)
            await remember_erased(connection, kinds, certificates, now=self._clock())
        return sum(
            [await spool.overwrite(record, _entry_of(event)) for record, _, event in changed]
        )

    def _remembered(
        self, events: Sequence[Event], found: Mapping[bytes, Remembered]
    ) -> tuple[dict[bytes, Erased], dict[bytes, UUID]]:
        """Return what is remembered of records that are erased for an identifier they carry."""
        kinds: dict[bytes, Erased] = {}
        certificates: dict[bytes, UUID] = {}
        for event in events:
            things, carried = self._digests.of_record(event)
            of_it = in_force(found, event.data.received_at)
            because = [of_it[digest] for digest in (*things, *carried) if digest in of_it]
            if because:
                kinds |= self._digests.named_things(event)
                certificates |= dict.fromkeys(things, because[0].certificate)
        return kinds, certificates


def _events(records: Sequence[LogRecord]) -> Iterator[tuple[LogRecord, Event]]:
    for record in records:
        with contextlib.suppress(msgspec.DecodeError, ValueError):
            yield record, decode_event(record.value)


def _entry_of(event: Event) -> Entry:
    return Entry(b"" if isinstance(event, ErasedRecord) else key_of(event), encode(event))
