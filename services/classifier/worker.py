"""The loop: poll the log, classify what came, partition by partition, until told to stop."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import structlog

from services.classifier.batch import BatchRefused
from services.classifier.claims import Claim
from services.classifier.measuring import note_pending
from services.classifier.ownership import LEAVE_ALONE, Claiming, Ownership
from shared.clock import Clock
from shared.errors import (
    LogDamaged,
    LogReplaced,
    LogUnavailable,
    OffsetOutOfRange,
    OwnershipLost,
    RetryableError,
)
from shared.instants import SECOND, Instant, Micros
from shared.log.port import LogReader, LogRecord
from shared.metrics import CLASSIFIER_FENCED

log = structlog.get_logger()

POLL_SECONDS: Final = 0.5
NOTE_IDLE: Final[Micros] = SECOND
NOTE_BUSY: Final[Micros] = SECOND // 10
"""How soon after a batch the watermark may follow, so that who posts and then reads sees it."""
MOST_RECORDS: Final = 4_000
IN_FLIGHT: Final = 2
"""Transactions at once: PostgreSQL works on one while Python folds the other."""
RETRY_SECONDS: Final = (0.1, 0.5, 1.0, 2.0, 5.0)


class Classification(Claiming, Protocol):
    """What the loop asks of the database side."""

    async def classify(self, claim: Claim, records: Sequence[LogRecord]) -> Claim:
        """Classify *records* in one transaction; return the claim behind them."""
        ...

    async def pass_gap(self, claim: Claim, next_offset: int) -> Claim:
        """Note that no record lies between *claim* and *next_offset*; return the claim there."""
        ...

    async def read_to_end(self, claim: Claim, seen_at: Instant) -> None:
        """Note that nothing lay beyond *claim* at *seen_at*."""
        ...


class Worker:
    """Reads what its reader is given, and owns what the claim table confirms.

    One task calls ``run``. Progress and health are read by others through the properties.
    """

    def __init__(
        self,
        reader: LogReader,
        classification: Classification,
        clock: Clock,
        *,
        leave_alone: Micros = LEAVE_ALONE,
    ) -> None:
        self._reader = reader
        self._classification = classification
        self._clock = clock
        self._ownership = Ownership(reader, classification, clock, leave_alone=leave_alone)
        self._failures = 0
        self._noted_at: Instant = 0
        self._unnoted = False
        self._pending = 0
        self._appended_at: dict[int, Instant] = {}
        self._advanced_at: Instant = clock()
        self.progress_at: Instant = clock()
        self._trouble: str | None = "has not read yet"

    @property
    def owned(self) -> frozenset[int]:
        """The partitions under a claim of this worker."""
        return frozenset(self._ownership.claims)

    @property
    def stopped_partitions(self) -> Mapping[int, str]:
        """Partitions that wait for an operator, each with why."""
        return dict(self._ownership.stopped)

    @property
    def trouble(self) -> str | None:
        """What keeps this worker from its work, in a sentence; None for nothing."""
        if self._ownership.stopped:
            partition, why = next(iter(self._ownership.stopped.items()))
            return f"partition {partition} is stopped: {why}"
        return self._trouble

    def idle(self, now: Instant) -> Micros:
        """Return how long nothing has moved although it should: 0 while there is nothing to do.

        Waiting for a database or a log that is away counts as moving: it is known, and said.
        """
        since = self._advanced_at if self._pending and not self._failures else self.progress_at
        return max(now - since, 0)

    async def run(self, stopping: asyncio.Event) -> None:
        """Classify until *stopping* is set, then return after the batch in hand.

        An error that may pass is waited out; the records stay in the log meanwhile. A partition
        whose records are damaged, or gone, is stopped for good, and no other.

        Raises:
            LogDamaged: the log as a whole cannot be read.
        """
        while not stopping.is_set():
            try:
                await self._turn()
                self._failures, self._trouble = 0, None
            except (RetryableError, OSError, TimeoutError) as error:
                await self._wait_out(error, stopping)
            except OffsetOutOfRange as error:
                await self._ownership.stop(error.partition, error.message)
            except LogReplaced as error:
                await self._ownership.stop_all(error.message)
            except LogDamaged as error:
                if error.partition is None:
                    raise
                await self._ownership.stop(error.partition, error.message)

    async def _turn(self) -> None:
        if await self._ownership.refresh():
            self._advanced_at = self._clock()
        patience = NOTE_BUSY / SECOND if self._unnoted else POLL_SECONDS
        polled = await self._reader.poll(max_records=MOST_RECORDS, timeout_seconds=patience)
        claims = self._ownership.claims
        mine = {partition: polled[partition] for partition in polled if partition in claims}
        limit = asyncio.Semaphore(IN_FLIGHT)
        outcomes = await asyncio.gather(
            *(self._classify(limit, claims[each], records) for each, records in mine.items()),
            return_exceptions=True,
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        self._unnoted |= bool(mine)
        await self._note_ends()
        self.progress_at = self._clock()

    async def _classify(
        self, limit: asyncio.Semaphore, claim: Claim, records: Sequence[LogRecord]
    ) -> None:
        partition = claim.partition
        async with limit:
            try:
                settled = await self._classification.classify(claim, records)
            except OwnershipLost as error:
                log.warning("batch_fenced", partition=partition, why=error.message)
                CLASSIFIER_FENCED.inc()
                self._ownership.lose(partition)
                return
            except BatchRefused as error:
                await self._ownership.stop(partition, error.message)
                return
            except BaseException:
                # Whether it was committed is unknown: the next turn claims anew and reads on
                # from what the database says.
                self._ownership.forget(partition)
                raise
        self._ownership.settle(settled)
        self._advanced_at = self._clock()
        self._appended_at[partition] = records[-1].appended_at
        await self._reader.reached(partition, settled.next_offset)

    async def _note_ends(self) -> None:
        """Now and then, tell the watermark which partitions are read to their end."""
        seen_at = self._clock()
        if seen_at - self._noted_at < (NOTE_BUSY if self._unnoted else NOTE_IDLE):
            return
        ends = await self._reader.end_offsets()
        await self._ownership.register(ends)
        pending = 0
        for claim in list(self._ownership.claims.values()):
            pending += await self._note_end(claim, ends[claim.partition], seen_at)
        self._pending = pending
        if not pending:
            self._advanced_at = seen_at
        self._noted_at, self._unnoted = seen_at, False

    async def _note_end(self, claim: Claim, end: int, seen_at: Instant) -> int:
        """Note how far one partition is behind; return by how many records."""
        try:
            if (reached := await self._reader.position(claim.partition)) > claim.next_offset:
                claim = await self._classification.pass_gap(claim, reached)
                self._ownership.settle(claim)
            if claim.next_offset >= end:
                await self._classification.read_to_end(claim, seen_at)
        except OwnershipLost:
            self._ownership.lose(claim.partition)
            return 0
        pending = max(end - claim.next_offset, 0)
        behind = seen_at - self._appended_at.get(claim.partition, seen_at) if pending else 0
        note_pending(claim.partition, pending, behind)
        return pending

    async def _wait_out(self, error: Exception, stopping: asyncio.Event) -> None:
        """Wait before the next turn, asking the log for nothing meanwhile.

        Whoever stops asking is taken for dead by the log's group, and others take over for nothing.
        """
        delay = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        why = str(error) or type(error).__name__
        self._trouble = f"waits: {why}"
        log.warning("classifier_waits", why=why, seconds=delay)
        self.progress_at = self._clock()
        if not isinstance(error, LogUnavailable):
            await self._reader.pause(self._reader.assigned)
            with contextlib.suppress(LogUnavailable):
                await self._reader.poll(max_records=1, timeout_seconds=0)
            await self._reader.pause(frozenset(self._ownership.stopped))
        await _pause(stopping, delay)


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
