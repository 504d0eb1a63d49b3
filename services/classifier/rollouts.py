"""Rollouts: bringing a stage model into force while touchpoints go on coming.

A request to activate a model leaves a row here, whoever took it. Any classifier carries it on, one
bounded transaction at a time, so that a crash loses at most the last of them:

    requested  nobody follows the model yet
    folding    every batch follows it; older customers are folded, in order of their ids
    clearing   it is in force; rows learn so, and the caches of the version before it are dropped
    done

A shadow stops before it is in force, and may be given up:

    shadowing  every customer has a journey, and every batch follows the model
    dropping   nobody follows it any more; what was kept of it is dropped

There is one at a time in a database, the oldest first, so a version that is activated again is
clear of what its former time has left.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.classifier.activation import (
    Flip,
    activate,
    drop_rows,
    settle_rows,
    some_lack,
    sweep_dropped,
    sweep_rows,
)
from services.classifier.horizon import load_horizon
from services.classifier.rebuilding import lock_customers, next_customers, rebuild_journeys
from services.classifier.stepping import step_until
from shared.clock import Clock
from shared.instants import Instant, Micros, datetime_of, instant_of
from shared.upkeep.active_models import ActiveModels, hold_models
from shared.upkeep.transactions import transaction

log = structlog.get_logger()

MOST_CUSTOMERS: Final = 100
"""Customers in one transaction."""

_TURN: Final = "SELECT pg_try_advisory_xact_lock($1)"
_LOCK: Final = 0x726F6C6C
"""Of whoever carries rollouts on: "roll" in ASCII."""
_OPEN: Final = """
SELECT id, model_id, key, phase, position, predecessor_id, flipped_at, is_rollback, is_shadow
  FROM rollouts WHERE phase NOT IN ('shadowing', 'done') ORDER BY id LIMIT 1
"""
_COUNT: Final = "SELECT count(*) FROM customers"
_FOLLOW: Final = """
UPDATE rollouts SET phase = 'folding', customers_of = $2 WHERE id = $1 AND phase = 'requested'
"""
_ADVANCE: Final = """
UPDATE rollouts
   SET position = $2, customers_done = customers_done + $3,
       customers_of = greatest(customers_of, customers_done + $3)
 WHERE id = $1 AND phase = $4
"""
"""A shadow may have been given up since it was looked at; the step that drops it waits for us."""
_START_OVER: Final = "UPDATE rollouts SET position = $2, customers_done = 0 WHERE id = $1"
_CLEAR: Final = """
UPDATE rollouts
   SET phase = 'clearing', position = $2, predecessor_id = $3, flipped_at = $4
 WHERE id = $1
"""
_STAND: Final = """
UPDATE rollouts SET phase = 'shadowing' WHERE id = $1 AND phase = 'folding' AND is_shadow
"""
_END: Final = "UPDATE rollouts SET phase = 'done' WHERE id = $1"
_FIRST: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Rollout:
    """A model on its way; customers up to ``position`` are done with the present phase."""

    id: int
    model_id: int
    key: str
    phase: str
    position: UUID
    predecessor_id: int | None
    flipped_at: Instant | None
    is_rollback: bool
    is_shadow: bool


class Rollouts:
    """Carries rollouts on; several processes may, and one of them does at a time.

    Args:
        engine: Whose database.
        clock: The present.
        grace: How much longer deadlines wait than the watermark asks for.
        most: How many customers one transaction takes.
    """

    def __init__(
        self, engine: AsyncEngine, clock: Clock, *, grace: Micros = 0, most: int = MOST_CUSTOMERS
    ) -> None:
        self._engine = engine
        self._most = most
        self._clock = clock
        self._grace = grace
        self._models = ActiveModels()

    async def run(self, stopping: asyncio.Event) -> None:
        """Carry rollouts on until *stopping* is set."""
        await step_until(stopping, self.step, waits="rollout_waits")

    async def step(self) -> bool:
        """Do one transaction's worth and return whether there may be more to do."""
        async with transaction(self._engine) as connection:
            if not await connection.fetchval(_TURN, _LOCK):
                return False
            row = await connection.fetchrow(_OPEN)
            if row is None:
                return False
            rollout = _rollout(row)
            match rollout.phase:
                case "requested":
                    await _follow(connection, rollout)
                case "folding":
                    await self._fold(connection, rollout)
                case "dropping":
                    await self._drop(connection, rollout)
                case _:
                    await self._clear(connection, rollout)
            return True

    async def _fold(self, connection: asyncpg.Connection, rollout: Rollout) -> None:
        customers = await next_customers(connection, rollout.position, most=self._most)
        if not customers:
            await _flip(connection, rollout)
            return
        # Before the models are loaded, as in batches: two locks are always taken in this order.
        await lock_customers(connection, customers)
        model = (await self._models.load(connection)).get(rollout.model_id)
        if model is None:  # a shadow that was given up just now
            return
        horizon = await load_horizon(connection, self._clock(), self._grace)
        await rebuild_journeys(connection, customers, model, horizon)
        await _advance(connection, rollout, customers)

    async def _drop(self, connection: asyncpg.Connection, rollout: Rollout) -> None:
        if rollout.position == _FIRST:
            await hold_models(connection)  # whoever still followed it is done then
        customers = await next_customers(connection, rollout.position, most=self._most)
        if customers:
            await drop_rows(connection, rollout.model_id, customers)
            await _advance(connection, rollout, customers)
        else:
            await sweep_dropped(connection, rollout.model_id)
            await connection.execute(_END, rollout.id)

    async def _clear(self, connection: asyncpg.Connection, rollout: Rollout) -> None:
        if rollout.flipped_at is None:
            raise ValueError(f"rollout {rollout.id} is clearing but was never in force")
        flip = Flip(rollout.model_id, rollout.predecessor_id, rollout.flipped_at)
        customers = await next_customers(connection, rollout.position, most=self._most)
        if customers:
            await settle_rows(connection, flip, customers)
            await _advance(connection, rollout, customers)
        else:
            await sweep_rows(connection, flip)
            await connection.execute(_END, rollout.id)


async def _follow(connection: asyncpg.Connection, rollout: Rollout) -> None:
    customers = await connection.fetchval(_COUNT)
    await hold_models(connection)
    await connection.execute(_FOLLOW, rollout.id, customers)
    log.info("rollout_began", model=rollout.key, customers=customers)


async def _advance(
    connection: asyncpg.Connection, rollout: Rollout, customers: Sequence[UUID]
) -> None:
    counted = len(customers) if rollout.phase == "folding" else 0
    await connection.execute(_ADVANCE, rollout.id, customers[-1], counted, rollout.phase)


async def _flip(connection: asyncpg.Connection, rollout: Rollout) -> None:
    """Put the model in force, now that all customers have been gone through."""
    if await some_lack(connection, rollout.model_id):
        log.error("rollout_starts_over", model=rollout.key, why="customers lack a journey")
        await connection.execute(_START_OVER, rollout.id, _FIRST)
        return
    if rollout.is_shadow:
        await connection.execute(_STAND, rollout.id)
        log.info("shadow_stands", model=rollout.key)
        return
    flip = await activate(
        connection, rollout.model_id, rollout.key, is_rollback=rollout.is_rollback
    )
    moment = datetime_of(flip.at)
    await connection.execute(_CLEAR, rollout.id, _FIRST, flip.former_id, moment)
    log.info("model_activated", model=rollout.key)


def _rollout(row: asyncpg.Record) -> Rollout:
    flipped_at = row["flipped_at"]
    return Rollout(
        id=row["id"],
        model_id=row["model_id"],
        key=row["key"],
        phase=row["phase"],
        position=UUID(int=row["position"].int),
        predecessor_id=row["predecessor_id"],
        flipped_at=None if flipped_at is None else instant_of(flipped_at),
        is_rollback=row["is_rollback"],
        is_shadow=row["is_shadow"],
    )
