"""One batch, one transaction: claim, dedupe, store, link, fold, transitions, counts."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.classifier.claims import (
    Claim,
    Tally,
    hold_claim,
    note_read_to_end,
    register_partitions,
    settle_claim,
    take_claim,
)
from services.classifier.counts import add_counts, count_by_source
from services.classifier.identities import referrals_in, seen_in
from services.classifier.linking import find_neighbours, link, links_made
from services.classifier.measuring import measured_batch, note_batch
from services.classifier.poison import PoisonLimit
from services.classifier.quarantine import quarantine
from services.classifier.reading import (
    Arrival,
    Item,
    Refusal,
    first_arrivals,
    read_record,
    read_through_of,
    refusal_of,
)
from services.classifier.source_hours import add_hours, count_by_hour
from services.classifier.suppression import Suppression
from services.classifier.timelines import extend_timelines
from services.classifier.touchpoints import count_duplicates, known_identities, store_touchpoints
from shared.clock import Clock
from shared.errors import JourneylineError
from shared.instants import Instant
from shared.log.port import LogRecord
from shared.storage.policies import hold_policy
from shared.storage.referrals import store_referrals
from shared.upkeep.active_models import ActiveModels
from shared.upkeep.enrolment import enrol
from shared.upkeep.regrouping import refold_regrouped
from shared.upkeep.transactions import TransactionConflict, transaction

log = structlog.get_logger()

POISON: Final = (
    asyncpg.DataError,
    asyncpg.ProgramLimitExceededError,
    asyncpg.IntegrityConstraintViolationError,
    ArithmeticError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What one record can cause by its content; anything else is the surroundings' fault."""

MOST_AT_ONCE: Final = 1_000
"""Records in one transaction."""

READ_AT_ONCE: Final = 500
"""Records read before the event loop gets its turn."""

TRIES: Final = 5
"""How often a batch is tried that other transactions undo; each waits for the others to end."""

Connection: TypeAlias = asyncpg.Connection


class BatchRefused(JourneylineError):
    """So many records are poison that the fault lies with this version, not with them."""

    code = "too_much_poison"


@dataclass(frozen=True, slots=True)
class LogIdentity:
    """Which log the claims are about."""

    log_id: str
    topic: str


class PostgresClassification:
    """Classifies batches in PostgreSQL; safe for several partitions at once."""

    def __init__(
        self,
        engine: AsyncEngine,
        log_identity: LogIdentity,
        *,
        owner: str,
        clock: Clock,
        suppression: Suppression | None = None,
    ) -> None:
        self._engine = engine
        self._suppression = suppression or Suppression(None)
        self._log = log_identity
        self._models = ActiveModels()
        self._owner = owner
        self._clock = clock
        self._limits: dict[int, PoisonLimit] = {}

    async def claim(self, partition: int, start_offset: int) -> Claim:
        """Take *partition* over; see ``Classification.claim``."""
        async with transaction(self._engine) as connection:
            return await take_claim(
                connection,
                log_id=self._log.log_id,
                topic=self._log.topic,
                partition=partition,
                owner=self._owner,
                start_offset=start_offset,
                now=self._clock(),
            )

    async def register(self, start_offsets: Mapping[int, int]) -> None:
        """Make sure that every partition has a claim; see ``Claiming.register``."""
        async with transaction(self._engine) as connection:
            await register_partitions(
                connection,
                log_id=self._log.log_id,
                topic=self._log.topic,
                start_offsets=start_offsets,
            )

    async def pass_gap(self, claim: Claim, next_offset: int) -> Claim:
        """Count the offsets up to *next_offset*, which hold no records, as gaps.

        Raises:
            OwnershipLost: the partition is someone else's; nothing was written.
        """
        async with transaction(self._engine) as connection:
            now = await hold_claim(connection, claim)
            await settle_claim(
                connection,
                claim,
                Tally(gaps=next_offset - claim.next_offset),
                next_offset=next_offset,
                read_through=None,
                now=now,
            )
        return claim.at(next_offset)

    async def read_to_end(self, claim: Claim, seen_at: int) -> None:
        """Note that nothing lay beyond *claim* at *seen_at*."""
        async with transaction(self._engine) as connection:
            await note_read_to_end(connection, claim, seen_at)

    async def classify(self, claim: Claim, records: Sequence[LogRecord]) -> Claim:
        """Classify *records*, which are the next ones of the claimed partition.

        Each transaction takes so many of them that its fixed cost is small beside theirs, and so
        few that nobody waits long for the rows it locks.

        Raises:
            OwnershipLost: the partition is someone else's; nothing more was written.
            BatchRefused: too many records are poison; nothing of that transaction was written.
            TransactionConflict: other batches were in the way again and again.
            DatabaseUnavailable: whether the last transaction was committed is unknown.
        """
        for start in range(0, len(records), MOST_AT_ONCE):
            claim = await self._classify_batch(claim, records[start : start + MOST_AT_ONCE])
        return claim

    async def _classify_batch(self, claim: Claim, records: Sequence[LogRecord]) -> Claim:
        items: list[Item] = []
        for start in range(0, len(records), READ_AT_ONCE):
            items += map(read_record, records[start : start + READ_AT_ONCE])
            await asyncio.sleep(0)
        for _ in range(TRIES - 1):
            with contextlib.suppress(TransactionConflict):
                return await self._classify(claim, items, records)
        return await self._classify(claim, items, records)

    async def _classify(
        self, claim: Claim, items: Sequence[Item], records: Sequence[LogRecord]
    ) -> Claim:
        with measured_batch():
            items, tally = await self._transact(claim, items, records)
        note_batch(items, tally, self._clock())
        return claim.at(records[-1].offset + 1)

    async def _transact(
        self, claim: Claim, items: Sequence[Item], records: Sequence[LogRecord]
    ) -> tuple[Sequence[Item], Tally]:
        async with transaction(self._engine) as connection:
            now = await hold_claim(connection, claim)
            items = await self._suppression.applied(connection, items, now=now)
            try:
                async with connection.transaction():
                    tally = await self._apply(connection, claim, items, now)
            except POISON:
                log.exception("batch_has_poison", partition=claim.partition, records=len(items))
                items, tally = await self._apply_one_by_one(connection, claim, items, records, now)
            next_offset = records[-1].offset + 1
            gaps = next_offset - claim.next_offset - len(records)
            await settle_claim(
                connection,
                claim,
                tally + Tally(gaps=gaps),
                next_offset=next_offset,
                read_through=read_through_of(items),
                now=now,
            )
        return items, tally

    async def _apply(
        self, connection: Connection, claim: Claim, items: Sequence[Item], now: Instant
    ) -> Tally:
        """Write all that *items* cause, apart from the claim itself."""
        refusals = [item for item in items if isinstance(item, Refusal)]
        await quarantine(connection, refusals, claim_id=claim.id, recorded_at=now)
        first = first_arrivals(items)
        known = await known_identities(connection, first)
        fresh = [arrival for identity, arrival in first.items() if identity not in known]
        in_force = await hold_policy(connection)
        near = await find_neighbours(connection, links_made(fresh, in_force.policy), in_force)
        members = await enrol(connection, seen_in(fresh), near, now=now)
        stored = await store_touchpoints(
            connection, fresh, members.row_ids, claim_id=claim.id, recorded_at=now
        )
        new = [arrival for arrival in fresh if arrival.identity in stored]
        offsets = {arrival.offset for arrival in new}
        arrivals = [item for item in items if isinstance(item, Arrival)]
        repeated = [arrival for arrival in arrivals if arrival.offset not in offsets]
        conflicting = await count_duplicates(connection, repeated, seen_at=now)
        await store_referrals(connection, referrals_in(new, members.row_ids), now=now)
        growth = await link(connection, new, members, in_force, now=now)
        models = await self._models.load(connection)
        await extend_timelines(connection, growth.additions, models, now=now)
        await refold_regrouped(connection, growth.regroups, models, now=now)
        await add_counts(connection, claim.id, count_by_source(items, offsets))
        await add_hours(connection, claim.id, count_by_hour(items, offsets, conflicting))
        erased = len(items) - len(arrivals) - len(refusals)
        return Tally(len(new), len(repeated), len(refusals), erased)

    async def _apply_one_by_one(
        self,
        connection: Connection,
        claim: Claim,
        items: Sequence[Item],
        records: Sequence[LogRecord],
        now: Instant,
    ) -> tuple[list[Item], Tally]:
        """Apply each item under a savepoint; the poisonous ones go to the quarantine instead."""
        applied: list[Item] = []
        tally = Tally()
        for item, record in zip(items, records, strict=True):
            outcome = item
            try:
                async with connection.transaction():
                    tally += await self._apply(connection, claim, [item], now)
            except POISON as error:
                outcome = refusal_of(record, f"cannot be classified: {error}", code="poison")
                async with connection.transaction():
                    tally += await self._apply(connection, claim, [outcome], now)
            applied.append(outcome)
        poison = [after is not before for before, after in zip(items, applied, strict=True)]
        limit = self._limits.setdefault(claim.partition, PoisonLimit())
        if limit.exceeded(now, poison):
            raise BatchRefused(
                f"{sum(poison)} of {len(poison)} records could not be classified: this looks like "
                "a faulty version or model; nothing was skipped, start a repaired one"
            )
        return applied, tally
