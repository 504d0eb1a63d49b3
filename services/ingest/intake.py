"""The way in: items judged, counted against their source's rate, and appended before the answer."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final, TypeVar
from uuid import UUID

from services.ingest.channels.contract import Ignored, Read
from services.ingest.channels.judging import judge_reads
from services.ingest.counting import count_ignored, count_records, count_throttled
from services.ingest.limits import BytesInFlight, RateLimits
from services.ingest.senders import Directory
from shared.acceptance.bodies import Sent
from shared.acceptance.requests import judge_all
from shared.acceptance.terms import Terms
from shared.acceptance.verdicts import Verdict, verdict_on
from shared.clock import Clock
from shared.http.problems import TooManyRequests
from shared.instants import Instant
from shared.log.port import SPOOL, Entry, LogWriter
from shared.metrics import INGEST_APPEND_SECONDS, INGEST_INFLIGHT_EVENTS
from shared.records import Record, encode, key_of
from shared.sources import Source

T = TypeVar("T")

_TURN_SECONDS: Final = 0.01
"""How long is judged without letting other requests have the event loop."""


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
        records = await _in_turns(judge_all(sent, terms))
        is_spooled = await self.append(records)
        return verdict_on(source.name, records, is_spooled=is_spooled)

    async def take_in_reads(
        self,
        reads: Iterable[Read],
        source: Source,
        received_at: Instant,
        *,
        corrects_skew: bool = True,
        historical: bool = False,
        wire_format: str | None = None,
    ) -> Sequence[Record | Ignored]:
        """Judge what was read, and make all of it durable, what is rejected too.

        Args:
            reads: What an adapter makes of a delivery, or what is in a file.
            source: Whose items they are.
            received_at: Our own time of receipt.
            corrects_skew: Whether ``sent_at`` is the time of this very request.
            historical: Whether this is a backfill, whatever the source's setting says.
            wire_format: How items were written that are not in the native form; for the quarantine.

        Returns:
            What became of each item, in order.

        Raises:
            JourneylineError: What the adapter raises for the delivery as a whole.
            TooManyRequests: The source is over its rate.
            LogUnavailable: Durability was not confirmed; nothing is promised.
        """
        terms = Terms(
            source=source,
            policy=self.directory.policy,
            received_at=received_at,
            new_id=self.new_id,
            corrects_skew=corrects_skew,
            historical=historical,
            format=wire_format,
        )
        outcomes = await _in_turns(judge_reads(reads, terms))
        records = [outcome for outcome in outcomes if not isinstance(outcome, Ignored)]
        self.limit_rate(source, len(records))
        await self.append(records)
        count_ignored(outcome for outcome in outcomes if isinstance(outcome, Ignored))
        return outcomes

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

    async def append(self, records: Sequence[Record]) -> bool:
        """Make *records* durable.

        Returns:
            Whether any of them lie in the spool, to go to the log later.

        Raises:
            LogUnavailable: It was not confirmed that they are.
        """
        if not records:
            return False
        entries = [Entry(key_of(record), encode(record)) for record in records]
        INGEST_INFLIGHT_EVENTS.inc(len(entries))
        began = perf_counter()
        try:
            positions = await self.log.append(entries)
        finally:
            INGEST_INFLIGHT_EVENTS.dec(len(entries))
            INGEST_APPEND_SECONDS.observe(perf_counter() - began)
        count_records(records)
        return any(position.topic == SPOOL for position in positions)


async def _in_turns(judging: Iterable[T]) -> list[T]:
    """Judge all items, letting other requests have the event loop in between now and then."""
    judged = []
    turn_ends = perf_counter() + _TURN_SECONDS
    for outcome in judging:
        judged.append(outcome)
        if perf_counter() > turn_ends:
            await asyncio.sleep(0)
            turn_ends = perf_counter() + _TURN_SECONDS
    return judged
