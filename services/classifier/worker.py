"""The loop: poll the log, classify what came, partition by partition, until told to stop."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import structlog

from services.classifier.batch import BatchRefused
from services.classifier.claims import Claim
from services.classifier.measuring import note_pending
from shared.clock import Clock
from shared.errors import JourneylineError, LogDamaged, OwnershipLost, RetryableError
from shared.instants import SECOND, Instant, Micros
from shared.log.port import LogReader, LogRecord
from shared.metrics import CLASSIFIER_FENCED

log = structlog.get_logger()

POLL_SECONDS: Final = 0.5
NOTE_IDLE: Final[Micros] = SECOND
NOTE_BUSY: Final[Micros] = SECOND // 10
"""How soon after a batch the watermark may follow, so that who posts and then reads sees it."""
MOST_RECORDS: Final = 2_000
IN_FLIGHT: Final = 2
"""Transactions at once: PostgreSQL works on one while Python folds the other."""
RETRY_SECONDS: Final = (0.1, 0.5, 1.0, 2.0, 5.0)


class Classification(Protocol):
    """What the loop asks of the database side."""

    async def claim(self, partition: int, start_offset: int) -> Claim:
        """Take *partition* over."""
        ...

    async def classify(self, claim: Claim, records: Sequence[LogRecord]) -> Claim:
        """Classify *records* in one transaction; return the claim behind them."""
        ...

    async def read_to_end(self, claim: Claim, seen_at: Instant) -> None:
        """Note that nothing lay beyond *claim* at *seen_at*."""
        ...


class Worker:
    """Reads what its reader is given, and owns what the claim table confirms.

    One task calls ``run``. Progress and health are read by others through the properties.
    """

    def __init__(self, reader: LogReader, classification: Classification, clock: Clock) -> None:
        self._reader = reader
        self._classification = classification
        self._clock = clock
        self._claims: dict[int, Claim] = {}
        self._stopped: dict[int, str] = {}
        self._failures = 0
        self._noted_at: Instant = 0
        self._unnoted = False
        self.progress_at: Instant = clock()
        self.trouble: str | None = "has not read yet"

    @property
    def owned(self) -> frozenset[int]:
        """The partitions under a claim of this worker."""
        return frozenset(self._claims)

    @property
    def stopped_partitions(self) -> Mapping[int, str]:
        """Partitions that wait for an operator, each with why."""
        return dict(self._stopped)

    async def run(self, stopping: asyncio.Event) -> None:
        """Classify until *stopping* is set, then return after the batch in hand.

        An error that may pass is waited out; the records stay in the log meanwhile. A damaged
        record stops its partition for good, and no other.

        Raises:
            LogDamaged: the log as a whole cannot be read.
        """
        while not stopping.is_set():
            try:
                await self._turn()
                self._failures, self.trouble = 0, self._stopped_sentence()
            except (RetryableError, OSError, TimeoutError) as error:
                await self._wait_out(error, stopping)
            except LogDamaged as error:
                if error.partition is None:
                    raise
                await self._stop_partition(error.partition, error.message)

    async def _turn(self) -> None:
        await self._own()
        patience = NOTE_BUSY / SECOND if self._unnoted else POLL_SECONDS
        polled = await self._reader.poll(max_records=MOST_RECORDS, timeout_seconds=patience)
        mine = {partition: polled[partition] for partition in polled if partition in self._claims}
        limit = asyncio.Semaphore(IN_FLIGHT)
        outcomes = await asyncio.gather(
            *(self._classify(limit, partition, records) for partition, records in mine.items()),
            return_exceptions=True,
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        self._unnoted |= bool(mine)
        await self._note_ends()
        self.progress_at = self._clock()

    async def _own(self) -> None:
        assigned = self._reader.assigned
        for partition in self._claims.keys() - assigned:
            del self._claims[partition]
        missing = sorted(assigned - self._claims.keys() - self._stopped.keys())
        if not missing:
            return
        starts = await self._reader.start_offsets()
        for partition in missing:
            claim = await self._classification.claim(partition, starts[partition])
            await self._seek(claim)
            log.info("partition_claimed", partition=partition, epoch=claim.epoch)

    async def _seek(self, claim: Claim) -> None:
        try:
            await self._reader.seek(claim.partition, claim.next_offset)
        except JourneylineError as error:
            if isinstance(error, RetryableError):
                raise
            await self._stop_partition(claim.partition, error.message)
        else:
            self._claims[claim.partition] = claim

    async def _classify(
        self, limit: asyncio.Semaphore, partition: int, records: Sequence[LogRecord]
    ) -> None:
        claim = self._claims[partition]
        async with limit:
            try:
                settled = await self._classification.classify(claim, records)
            except OwnershipLost as error:
                log.warning("batch_fenced", partition=partition, why=error.message)
                CLASSIFIER_FENCED.inc()
                self._claims.pop(partition, None)
                return
            except BatchRefused as error:
                await self._stop_partition(partition, error.message)
                return
            except BaseException:
                # Whether it was committed is unknown: the next turn claims anew and reads on
                # from what the database says.
                self._claims.pop(partition, None)
                raise
        self._claims[partition] = settled
        await self._reader.reached(partition, settled.next_offset)

    async def _stop_partition(self, partition: int, why: str) -> None:
        log.error("partition_stopped", partition=partition, why=why)
        self._claims.pop(partition, None)
        self._stopped[partition] = why
        await self._reader.pause(frozenset(self._stopped))

    async def _note_ends(self) -> None:
        """Now and then, tell the watermark which partitions are read to their end."""
        seen_at = self._clock()
        if seen_at - self._noted_at < (NOTE_BUSY if self._unnoted else NOTE_IDLE):
            return
        ends = await self._reader.end_offsets()
        for partition, claim in list(self._claims.items()):
            note_pending(partition, ends[partition] - claim.next_offset)
            if claim.next_offset >= ends[partition]:
                try:
                    await self._classification.read_to_end(claim, seen_at)
                except OwnershipLost:
                    self._claims.pop(partition, None)
        self._noted_at, self._unnoted = seen_at, False

    async def _wait_out(self, error: Exception, stopping: asyncio.Event) -> None:
        delay = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        why = str(error) or type(error).__name__
        self.trouble = f"waits: {why}"
        log.warning("classifier_waits", why=why, seconds=delay)
        await _pause(stopping, delay)

    def _stopped_sentence(self) -> str | None:
        if not self._stopped:
            return None
        partition, why = next(iter(self._stopped.items()))
        return f"partition {partition} is stopped: {why}"


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
