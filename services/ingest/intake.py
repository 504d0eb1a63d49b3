"""The way in: items judged, counted against their source's rate, and appended before the answer."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final
from uuid import UUID

from services.ingest.counting import count_records, count_throttled
from services.ingest.limits import BytesInFlight, RateLimits
from services.ingest.senders import Directory
from shared.acceptance.bodies import Sent
from shared.acceptance.requests import judge_all
from shared.acceptance.terms import Terms
from shared.acceptance.verdicts import Verdict, verdict_on
from shared.clock import Clock
from shared.http.problems import TooManyRequests
from shared.log.port import Entry, LogWriter
from shared.metrics import INGEST_APPEND_SECONDS, INGEST_INFLIGHT_EVENTS
from shared.records import Record, encode, key_of
from shared.sources import Source

_BYTES_A_TURN: Final = 256 * 1024
"""What is judged without letting other requests have the event loop; some 10 ms."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes items in; what it is made of stays its maker's to close."""

    log: LogWriter
    directory: Directory
    clock: Clock
    new_id: Callable[[], UUID]
    rates: RateLimits
    in_flight: BytesInFlight = field(default_factory=BytesInFlight)

    async def take_in(self, sent: Sent, source: Source, *, corrects_skew: bool = True) -> Verdict:
        """Judge the items of a request and make all of them durable, the rejected ones too.

        Args:
            sent: The items.
            source: Whose they are.
            corrects_skew: Whether ``sent_at`` is the time of this very request.

        Raises:
            Unreadable: An item is not JSON where that makes the request unreadable.
            TooManyRequests: The source is over its rate.
            LogUnavailable: Durability was not confirmed; nothing is promised.
        """
        self.limit_rate(source, len(sent.items))
        terms = Terms(
            source=source,
            policy=self.directory.policy,
            received_at=self.clock(),
            new_id=self.new_id,
            corrects_skew=corrects_skew,
        )
        records = await _judged(sent, terms)
        await self.append(records)
        return verdict_on(source.name, records)

    def limit_rate(self, source: Source, items: int) -> None:
        """Count *items* against the rate of *source*.

        Raises:
            TooManyRequests: The source is over it.
        """
        try:
            self.rates.take(source, items)
        except TooManyRequests:
            count_throttled(items)
            raise

    async def append(self, records: Sequence[Record]) -> None:
        """Make *records* durable.

        Raises:
            LogUnavailable: It was not confirmed that they are.
        """
        if not records:
            return
        entries = [Entry(key_of(record), encode(record)) for record in records]
        INGEST_INFLIGHT_EVENTS.inc(len(entries))
        began = perf_counter()
        try:
            await self.log.append(entries)
        finally:
            INGEST_INFLIGHT_EVENTS.dec(len(entries))
            INGEST_APPEND_SECONDS.observe(perf_counter() - began)
        count_records(records)


async def _judged(sent: Sent, terms: Terms) -> list[Record]:
    """Judge all items, letting other requests in between now and then."""
    records = []
    size = 0
    for raw, record in zip(sent.items, judge_all(sent, terms), strict=True):
        records.append(record)
        size += len(raw)
        if size >= _BYTES_A_TURN:
            size = 0
            await asyncio.sleep(0)
    return records
