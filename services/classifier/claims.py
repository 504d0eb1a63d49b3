"""Claims: who reads which partition, how far, and what became of every record.

A claim row is the only offset that counts. It moves in the transaction that stores what the
records caused, under an epoch that every new owner raises, so a process that lost its partition
without noticing can never write again. In it, at any time::

    next_offset - start_offset = stored + duplicate + quarantined + erased + gaps
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import asyncpg

from shared.errors import LogReplaced, OwnershipLost
from shared.instants import Instant, datetime_of, instant_of

_REGISTER = """
INSERT INTO claims (log_id, topic, partition, start_offset, next_offset)
SELECT $1, $2, partition, start_offset, start_offset
  FROM unnest($3::int[], $4::bigint[]) AS found (partition, start_offset)
ON CONFLICT (log_id, topic, partition) DO NOTHING
"""
_FORMER = """
SELECT log_id, sum(next_offset - start_offset)::bigint AS read FROM claims WHERE topic = $1
 GROUP BY log_id ORDER BY max(claimed_at) DESC NULLS LAST, max(id) DESC LIMIT 1
"""
_TAKE = """
INSERT INTO claims (log_id, topic, partition, epoch, owner, claimed_at, start_offset, next_offset,
                    progress_at)
VALUES ($1, $2, $3, 1, $4, $5, $6, $6, $5)
ON CONFLICT (log_id, topic, partition) DO UPDATE
   SET epoch = claims.epoch + 1, owner = $4, claimed_at = $5, progress_at = $5
RETURNING id, epoch, next_offset
"""
_HOLD = """
SELECT now() FROM claims WHERE id = $1 AND epoch = $2 AND next_offset = $3 FOR UPDATE
"""
_SETTLE = """
UPDATE claims
   SET next_offset = $2, stored = stored + $3, duplicate = duplicate + $4,
       quarantined = quarantined + $5, erased = erased + $6, gaps = gaps + $7,
       read_through = greatest(read_through, $8), progress_at = $9
 WHERE id = $1
"""
_IDLE = """
UPDATE claims SET read_through = greatest(read_through, $4), progress_at = $4
 WHERE id = $1 AND epoch = $2 AND next_offset = $3
RETURNING 1
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to classify one partition from ``next_offset`` on, until someone else takes it."""

    id: int
    partition: int
    epoch: int
    next_offset: int

    def at(self, next_offset: int) -> Self:
        """Return the claim after everything before *next_offset* was classified."""
        return replace(self, next_offset=next_offset)


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the records of one batch; every record is counted exactly once."""

    stored: int = 0
    duplicate: int = 0
    quarantined: int = 0
    erased: int = 0
    gaps: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.stored + other.stored,
            self.duplicate + other.duplicate,
            self.quarantined + other.quarantined,
            self.erased + other.erased,
            self.gaps + other.gaps,
        )


async def register_partitions(
    connection: asyncpg.Connection, *, log_id: str, topic: str, start_offsets: Mapping[int, int]
) -> None:
    """Make a claim without an owner for each partition of *start_offsets* that has none."""
    await connection.execute(
        _REGISTER, log_id, topic, list(start_offsets), list(start_offsets.values())
    )


async def require_same_log(
    connection: asyncpg.Connection, *, log_id: str, topic: str, accepted: str | None
) -> None:
    """Return if the log that was read last under the name *topic* is this one.

    Args:
        connection: To the database that holds the claims.
        log_id: The log as it is now.
        topic: Its name.
        accepted: The log that an operator has said may follow whatever was before.

    Raises:
        LogReplaced: it is another one; says what to do.
    """
    former = await connection.fetchrow(_FORMER, topic)
    if former is None or former["log_id"] == log_id or log_id == accepted:
        return
    raise LogReplaced(
        f"the topic {topic} was made anew: {former['read']} records of the former one "
        f"({former['log_id']}) were classified, what else it held is gone. Let its senders send "
        f"again what may be missing; then CLASSIFIER_ACCEPT_LOG={log_id} reads the new one"
    )


async def take_claim(
    connection: asyncpg.Connection,
    *,
    log_id: str,
    topic: str,
    partition: int,
    owner: str,
    start_offset: int,
    now: Instant,
) -> Claim:
    """Take *partition* over from whoever has it.

    Args:
        connection: In a transaction of its own, or in none.
        log_id: Which log; one made anew under the same topic starts its own count.
        topic: The topic's name.
        partition: The partition's number in it.
        owner: Shown to operators; means nothing else.
        start_offset: Where the log begins, for a partition that no one has read before.
        now: The time of the take-over.
    """
    row = await connection.fetchrow(
        _TAKE, log_id, topic, partition, owner, datetime_of(now), start_offset
    )
    return Claim(row["id"], partition, row["epoch"], row["next_offset"])


async def hold_claim(connection: asyncpg.Connection, claim: Claim) -> Instant:
    """Lock *claim* until the transaction ends.

    Returns:
        When the transaction began, by the database's clock: the time that all it records carries,
        so that a reader can tell from the open transactions up to when everything is final.

    Raises:
        OwnershipLost: another owner has taken the partition, or this batch is committed already.
    """
    began_at = await connection.fetchval(_HOLD, claim.id, claim.epoch, claim.next_offset)
    if began_at is None:
        raise OwnershipLost(f"partition {claim.partition} is no longer held in epoch {claim.epoch}")
    return instant_of(began_at)


async def settle_claim(
    connection: asyncpg.Connection,
    claim: Claim,
    tally: Tally,
    *,
    next_offset: int,
    read_through: Instant | None,
    now: Instant,
) -> None:
    """Move the held *claim* to *next_offset* and count what became of the records before it.

    *read_through* is how far that takes the watermark of the partition; None for no further.
    """
    await connection.execute(
        _SETTLE,
        claim.id,
        next_offset,
        tally.stored,
        tally.duplicate,
        tally.quarantined,
        tally.erased,
        tally.gaps,
        None if read_through is None else datetime_of(read_through),
        datetime_of(now),
    )


async def note_read_to_end(connection: asyncpg.Connection, claim: Claim, seen_at: Instant) -> None:
    """Note that at *seen_at* the partition held nothing beyond *claim*.

    Raises:
        OwnershipLost: another owner has taken the partition.
    """
    moment = datetime_of(seen_at)
    if not await connection.fetchval(_IDLE, claim.id, claim.epoch, claim.next_offset, moment):
        raise OwnershipLost(f"partition {claim.partition} is no longer held in epoch {claim.epoch}")
