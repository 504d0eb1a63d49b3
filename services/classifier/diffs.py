"""Diffs: every stored history folded under two stage models, beside all other work.

Any classifier carries them on, one at a time and the oldest first, in steps of one bounded
transaction each. Nothing is locked while histories are read and folded; customers are locked for
the moment in which what came out is written, so that an erasure either finds it or prevents it.
"""

import asyncio
from collections.abc import Iterable
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.classifier.horizon import load_horizon
from services.classifier.rebuilding import next_customers
from services.classifier.stepping import step_until
from shared.clock import Clock
from shared.instants import SECOND, Instant, Micros, datetime_of, rfc3339
from shared.journey.differing import Compared, Comparison, Parting
from shared.journey.flows import Flows
from shared.journey.moves import touchpoints_in
from shared.journey.program import Program, compile_model
from shared.journey.render import compared_document
from shared.storage.diffs import NO_STAGE, Question, StoredDiff, oldest_open_diff
from shared.storage.stage_models import stored_model
from shared.storage.stored_histories import stretches
from shared.upkeep.transactions import transaction

log = structlog.get_logger()
encode: Final = msgspec.json.Encoder().encode

MOST_CUSTOMERS: Final = 500
"""Customers in one transaction."""
MOST_TOUCHPOINTS: Final = 2_000
"""Their touchpoints, unless one customer has more."""
LONGEST_WAIT: Final[Micros] = 10 * SECOND
"""How long a diff waits for touchpoints that were received before it was asked for."""
MOST_DROPPED: Final = 5_000
"""Rows of a diff that is dropped, in one transaction."""

_TURN: Final = "SELECT pg_try_advisory_xact_lock($1)"
_LOCK: Final = 0x64696666
"""Of whoever carries diffs on: "diff" in ASCII."""
_COUNT: Final = "SELECT count(*) FROM customers"
_BEGIN: Final = """
UPDATE diffs
   SET phase = 'folding', as_of = $2, read_through = $3, customers_of = $4, digest = $5
 WHERE id = $1
"""
_DOCUMENT: Final = "SELECT document FROM models WHERE id = $1"
_HISTORIES: Final = """
SELECT i.customer_id, t.source, t.event_id, t.effective_at, t.channel, t.type, t.body
  FROM identifiers i JOIN touchpoints t ON t.identifier_id = i.id
 WHERE i.customer_id = ANY($1) AND t.effective_at <= $2
 ORDER BY i.customer_id, t.effective_at, t.source, t.event_id
"""
_STILL: Final = """
SELECT customer_id FROM identifiers WHERE customer_id = ANY($1)
 ORDER BY kind COLLATE "C", value COLLATE "C"
   FOR KEY SHARE
"""
_KEEP: Final = """
INSERT INTO diff_customers (diff_id, customer_id, from_key, to_key, document, identities)
SELECT $1, id, from_key, to_key, document::json, ARRAY(SELECT json_array_elements_text(named::json))
  FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[])
    AS given (id, from_key, to_key, document, named)
"""
_ADVANCE: Final = """
UPDATE diffs
   SET position = $2, customers_done = customers_done + $3,
       customers_of = greatest(customers_of, customers_done + $3), flows = $4::json, digest = $5
 WHERE id = $1
"""
_END: Final = """
UPDATE diffs SET phase = 'done', ended_at = now(), customers_of = customers_done, position = $2
 WHERE id = $1
"""
_EXPIRED: Final = """
SELECT id FROM diffs WHERE phase = 'done' AND ended_at < now() - interval '1 day'
 ORDER BY id LIMIT 1
"""
_DROP: Final = """
DELETE FROM diff_customers WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM diff_customers WHERE diff_id = $1 LIMIT $2))
"""
_FORGET: Final = """
DELETE FROM diffs WHERE id = $1 AND NOT EXISTS (SELECT FROM diff_customers WHERE diff_id = $1)
"""

_FIRST: Final = UUID(int=0)


class Outcome(NamedTuple):
    """What both models make of one customer."""

    customer_id: UUID
    compared: Compared


class Diffs:
    """Carries diffs on; several processes may, and one of them does at a time.

    Args:
        engine: Whose database.
        clock: The present.
        most: How many customers one transaction takes.
    """

    def __init__(self, engine: AsyncEngine, clock: Clock, *, most: int = MOST_CUSTOMERS) -> None:
        self._engine = engine
        self._clock = clock
        self._most = most
        self._programs: dict[int, Program] = {}

    async def run(self, stopping: asyncio.Event) -> None:
        """Carry diffs on until *stopping* is set."""
        await step_until(stopping, self.step, waits="diff_waits")

    async def step(self) -> bool:
        """Do one transaction's worth and return whether there may be more to do."""
        async with transaction(self._engine) as connection:
            if not await connection.fetchval(_TURN, _LOCK):
                return False
            diff = await oldest_open_diff(connection)
            if diff is None:
                return await _drop_expired(connection)
            if diff.as_of is None:
                return await self._begin(connection, diff)
            await self._compare(connection, diff, diff.as_of)
            return True

    async def _begin(self, connection: asyncpg.Connection, diff: StoredDiff) -> bool:
        """Begin once all is read that was received before the diff was asked for, if that is soon.

        So whoever sends a touchpoint and then asks finds it in the answer.
        """
        now = self._clock()
        read_through = await load_horizon(connection, now, 0)
        is_behind = read_through is not None and read_through < diff.requested_at
        if is_behind and now < diff.requested_at + LONGEST_WAIT:
            return False
        as_of = diff.question.as_of
        if as_of is None:
            as_of = now if read_through is None else read_through
        before, after = await self._sides(connection, diff.question)
        asked = "" if diff.question.as_of is None else rfc3339(as_of)
        chain = f"{before.model.version} {after.model.version} {asked}".encode()
        through = None if read_through is None else datetime_of(read_through)
        customers = await connection.fetchval(_COUNT)
        await connection.execute(
            _BEGIN, diff.id, datetime_of(as_of), through, customers, sha256(chain).digest()
        )
        return True

    async def _compare(
        self, connection: asyncpg.Connection, diff: StoredDiff, as_of: Instant
    ) -> None:
        customers = await next_customers(
            connection, diff.position, most=self._most, room=MOST_TOUCHPOINTS
        )
        if not customers:
            await connection.execute(_END, diff.id, _FIRST)
            log.info("diff_done", customers=diff.customers_done)
            return
        sides = await self._sides(connection, diff.question)
        comparisons = {id_: Comparison(*sides, as_of) for id_ in customers}
        moment = datetime_of(as_of)
        async for id_, touchpoints in stretches(connection, _HISTORIES, customers, moment):
            comparisons[id_].take(touchpoints)
            await asyncio.sleep(0)
        still = {row["customer_id"] for row in await connection.fetch(_STILL, customers)}
        outcomes = [
            Outcome(id_, comparison.end())
            for id_, comparison in comparisons.items()
            if id_ in still
        ]
        await _keep(connection, diff.id, outcomes)
        flows, digest = _counted(diff, outcomes)
        done = len(outcomes)
        await connection.execute(_ADVANCE, diff.id, customers[-1], done, flows, digest)

    async def _sides(
        self, connection: asyncpg.Connection, question: Question
    ) -> tuple[Program, Program]:
        """Return the programs compared with and compared; those of other diffs are let go."""
        wanted = question.against_id, question.model_id
        programs = {id_: self._programs.get(id_) for id_ in wanted}
        self._programs = {
            id_: program or compile_model(stored_model(await connection.fetchval(_DOCUMENT, id_)))
            for id_, program in programs.items()
        }
        before, after = (self._programs[id_] for id_ in wanted)
        return before, after


async def _keep(connection: asyncpg.Connection, diff_id: int, outcomes: Iterable[Outcome]) -> None:
    """Store the customers whose journeys differ."""
    rows = [
        (
            outcome.customer_id,
            outcome.compared.before.stage or NO_STAGE,
            outcome.compared.after.stage or NO_STAGE,
            encode(compared_document(outcome.compared)).decode(),
            encode(_named(outcome.compared.parting)).decode(),
        )
        for outcome in outcomes
        if outcome.compared.parting is not None
    ]
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        await connection.execute(_KEEP, diff_id, *columns)


def _named(parting: Parting | None) -> list[str]:
    """Return every touchpoint that the first moves that differ name, as ``source/event_id``."""
    moves = [] if parting is None else [parting.before, parting.after]
    return sorted(
        {
            f"{source}/{event_id}"
            for move in moves
            if move is not None
            for source, event_id in touchpoints_in(move.cause)
        }
    )


def _counted(diff: StoredDiff, outcomes: Iterable[Outcome]) -> tuple[str, bytes]:
    """Return the flows and the hash over all outcomes so far, these included."""
    flows, digest = Flows(diff.flows), diff.digest
    for customer_id, compared in outcomes:
        flows.add(compared)
        told = encode([str(customer_id), compared_document(compared)])
        digest = sha256(digest + told).digest()
    return encode(list(flows)).decode(), digest


async def _drop_expired(connection: asyncpg.Connection) -> bool:
    """Drop some of a diff that is over a day old; return whether there was one."""
    diff_id = await connection.fetchval(_EXPIRED)
    if diff_id is None:
        return False
    await connection.execute(_DROP, diff_id, MOST_DROPPED)
    await connection.execute(_FORGET, diff_id)
    return True
