"""Timelines grow: the profiles and journeys of every customer whose touchpoints changed."""

import asyncio
from collections.abc import Mapping
from typing import Final
from uuid import UUID

import asyncpg

from shared.instants import Instant
from shared.profiles import Profile, profile_of
from shared.touchpoints import Place, Touchpoint
from shared.upkeep.active_models import ActiveModel
from shared.upkeep.customers import lock_profiles, save_profiles
from shared.upkeep.following import Followed, appended, step
from shared.upkeep.journeys import (
    JourneyKey,
    journey_row,
    lock_journeys,
    save_journeys,
)
from shared.upkeep.refolding import refold_journeys
from shared.upkeep.snapshots import RECENT, SPACING, Snapshot, keep_snapshots
from shared.upkeep.transitions import Change, publish

CUSTOMERS_AT_ONCE: Final = 100
"""Customers whose journeys are taken further before the event loop gets its turn."""

Models = Mapping[int, ActiveModel]


async def extend_timelines(
    connection: asyncpg.Connection,
    additions: Mapping[UUID, list[Touchpoint]],
    models: Models,
    *,
    now: Instant,
) -> None:
    """Bring profiles and journeys up to date with stored *additions*, and publish what changed.

    Args:
        connection: In the batch's transaction, the customers' identifiers locked.
        additions: New touchpoints by customer, in canonical order, stored already.
        models: The active models by row id.
        now: The batch's time: when these decisions are made.
    """
    if not additions:
        return
    profiles = await lock_profiles(connection, additions)
    grown = {id_: profile_of(new, profiles.get(id_)) for id_, new in additions.items()}
    await save_profiles(connection, {i: p for i, p in grown.items() if p is not None}, now=now)
    stored = await lock_journeys(connection, additions, models)
    stepped: dict[JourneyKey, Followed] = {}
    late: dict[JourneyKey, Place] = {}
    for count, (customer_id, new) in enumerate(additions.items(), start=1):
        if count % CUSTOMERS_AT_ONCE == 0:
            await asyncio.sleep(0)
        for model_id, model in models.items():
            key = JourneyKey(customer_id, model_id)
            if not model.published and customer_id in profiles and key not in stored:
                continue  # its rollout will come to this customer and fold the whole history
            done = step(model.program, stored.get(key), new)
            if done is None:
                late[key] = new[0].place
            else:
                stepped[key] = done
    changes = [_appended(key, models[key.model_id], done) for key, done in stepped.items()]
    rows = {key: journey_row(done) for key, done in stepped.items()}
    await save_journeys(connection, rows, now=now)
    await keep_snapshots(connection, _milestones(stepped, profiles, additions))
    await publish(connection, changes, decided_at=now)
    await refold_journeys(connection, late, stored, models, now=now)


def _appended(key: JourneyKey, model: ActiveModel, done: Followed) -> Change:
    restatement = appended(done.moves, version=model.version, customer_id=str(key.customer_id))
    return Change(key, model, restatement)


def _milestones(
    stepped: Mapping[JourneyKey, Followed],
    profiles: Mapping[UUID, Profile],
    additions: Mapping[UUID, list[Touchpoint]],
) -> list[Snapshot]:
    """Return a snapshot of each journey that passed a multiple of RECENT touchpoints."""
    kept = []
    for key, done in stepped.items():
        before = profiles[key.customer_id].total if key.customer_id in profiles else 0
        after = before + len(additions[key.customer_id])
        if after // RECENT > before // RECENT:
            kept.append(Snapshot(key, done.state, lasting=after // SPACING > before // SPACING))
    return kept
