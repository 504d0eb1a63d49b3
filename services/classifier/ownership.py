"""Ownership: which partitions this process may classify, as the claim table confirms it.

The log's group says who should read a partition. Only a claim says who may write: it is taken
first, then the partition is read from where the claim says. What a process believes after it was
frozen, or cut off, does not matter; its claims have another epoch by then.
"""

from collections.abc import Mapping
from typing import Final, Protocol

import structlog

from services.classifier.claims import Claim
from services.classifier.measuring import note_claim, note_left, note_stopped
from shared.clock import Clock
from shared.errors import JourneylineError, RetryableError
from shared.instants import SECOND, Instant, Micros
from shared.log.port import LogReader

log = structlog.get_logger()

LEAVE_ALONE: Final[Micros] = 5 * SECOND
"""How long a lost partition is left to its new owner: by then the group has told who that is."""


class Claiming(Protocol):
    """What ownership asks of the database side."""

    async def register(self, start_offsets: Mapping[int, int]) -> None:
        """Make sure that every partition of the log has a claim, if only one without an owner."""
        ...

    async def claim(self, partition: int, start_offset: int) -> Claim:
        """Take *partition* over."""
        ...


class Ownership:
    """The claims of one process; for its one task.

    Args:
        reader: Says what is given, and reads what is claimed.
        claiming: The claim table.
        clock: The present.
        leave_alone: How long a lost partition is left alone, if it is still given.
    """

    def __init__(
        self,
        reader: LogReader,
        claiming: Claiming,
        clock: Clock,
        *,
        leave_alone: Micros = LEAVE_ALONE,
    ) -> None:
        self._reader = reader
        self._claiming = claiming
        self._clock = clock
        self._leave_alone = leave_alone
        self._claims: dict[int, Claim] = {}
        self._stopped: dict[int, str] = {}
        self._lost_at: dict[int, Instant] = {}
        self._registered: frozenset[int] = frozenset()

    @property
    def claims(self) -> Mapping[int, Claim]:
        """The claims held, by partition."""
        return self._claims

    @property
    def stopped(self) -> Mapping[int, str]:
        """Partitions that wait for an operator, each with why."""
        return self._stopped

    async def refresh(self) -> bool:
        """Let go of what is given to others, and claim what is given to this process.

        Returns:
            Whether anything was claimed.
        """
        assigned = self._reader.assigned
        for partition in self._claims.keys() - assigned:
            self.forget(partition)
        missing = sorted(
            partition
            for partition in assigned - self._claims.keys() - self._stopped.keys()
            if self._clock() - self._lost_at.get(partition, -self._leave_alone) >= self._leave_alone
        )
        if not missing:
            return False
        starts = await self._reader.start_offsets()
        await self.register(starts)
        for partition in missing:
            await self._claim(partition, starts[partition])
        return True

    async def register(self, offsets: Mapping[int, int]) -> None:
        """Let the ledger and the watermark know of every partition of *offsets*.

        One that nobody owns holds the watermark back: what lies in it is unread.
        """
        if offsets.keys() <= self._registered:
            return
        await self._claiming.register(await self._reader.start_offsets())
        self._registered = frozenset(offsets)

    def settle(self, claim: Claim) -> None:
        """Hold *claim* from here on, unless the partition was lost meanwhile."""
        if claim.partition in self._claims:
            self._claims[claim.partition] = claim

    def forget(self, partition: int) -> None:
        """Hold a partition no longer; it is claimed anew in the next turn."""
        self._claims.pop(partition, None)
        note_left(partition)

    def lose(self, partition: int) -> None:
        """Leave a partition to whoever has claimed it."""
        self.forget(partition)
        self._lost_at[partition] = self._clock()

    async def stop(self, partition: int, why: str) -> None:
        """Leave a partition alone until an operator has looked into it."""
        log.error("partition_stopped", partition=partition, why=why)
        self.forget(partition)
        self._stopped[partition] = why
        note_stopped(len(self._stopped))
        await self._reader.pause(frozenset(self._stopped))

    async def stop_all(self, why: str) -> None:
        """Leave every partition alone."""
        for partition in sorted(self._reader.assigned - self._stopped.keys()):
            await self.stop(partition, why)

    async def _claim(self, partition: int, start_offset: int) -> None:
        claim = await self._claiming.claim(partition, start_offset)
        try:
            await self._reader.seek(partition, claim.next_offset)
        except JourneylineError as error:
            if isinstance(error, RetryableError):
                raise
            await self.stop(partition, error.message)
            return
        self._claims[partition] = claim
        self._lost_at.pop(partition, None)
        note_claim(partition, claim.epoch)
        log.info("partition_claimed", partition=partition, epoch=claim.epoch)
