"""Timelines grow: the profiles and journeys of every customer whose touchpoints changed."""

from collections.abc import Iterable, Mapping
from uuid import UUID

import asyncpg

from services.classifier.active_models import ActiveModel
from services.classifier.customers import lock_profiles, save_profiles
from services.classifier.following import Followed, Stored, append, is_late, refold, restate, step
from services.classifier.journeys import (
    JourneyKey,
    journey_row,
    load_histories,
    load_published,
    lock_journeys,
    save_journeys,
)
from services.classifier.transitions import Change, publish
from shared.instants import Instant
from shared.profiles import profile_of
from shared.touchpoints import Touchpoint


async def extend_timelines(
    connection: asyncpg.Connection,
    additions: Mapping[UUID, list[Touchpoint]],
    models: Mapping[int, ActiveModel],
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
    late = _late_customers(stored, additions)
    stepped = {
        JourneyKey(customer_id, model_id): step(
            model.program, stored.get(JourneyKey(customer_id, model_id)), new
        )
        for customer_id, new in additions.items()
        if customer_id not in late
        for model_id, model in models.items()
    }
    changes = [_appended(key, models[key.model_id], done) for key, done in stepped.items()]
    await _save(connection, stepped, models, now=now)
    await publish(connection, changes, decided_at=now)
    await refold_customers(connection, late, stored, models, now=now)


async def refold_customers(
    connection: asyncpg.Connection,
    customer_ids: Iterable[UUID],
    stored: Mapping[JourneyKey, Stored],
    models: Mapping[int, ActiveModel],
    *,
    now: Instant,
) -> None:
    """Fold customers anew from their whole history, and restate what was published wrongly."""
    wanted = sorted(customer_ids)
    if not wanted:
        return
    histories = await load_histories(connection, wanted)
    published = await load_published(connection, wanted, models)
    followed: dict[JourneyKey, Followed] = {}
    changes = []
    for customer_id in wanted:
        for model_id, model in models.items():
            key = JourneyKey(customer_id, model_id)
            before = stored.get(key)
            settled_through = before.settled_through if before else None
            done = refold(model.program, histories.get(customer_id, []), settled_through)
            restatement = restate(
                published.get(key, []),
                done.moves,
                version=model.version,
                customer_id=str(customer_id),
            )
            followed[key] = done
            changes.append(Change(key, model.key, model.version, restatement))
    await _save(connection, followed, models, now=now)
    await publish(connection, changes, decided_at=now)


async def _save(
    connection: asyncpg.Connection,
    followed: Mapping[JourneyKey, Followed],
    models: Mapping[int, ActiveModel],
    *,
    now: Instant,
) -> None:
    rows = {key: journey_row(models[key.model_id].program, done) for key, done in followed.items()}
    await save_journeys(connection, rows, now=now)


def _late_customers(
    stored: Mapping[JourneyKey, Stored], additions: Mapping[UUID, list[Touchpoint]]
) -> set[UUID]:
    return {
        key.customer_id
        for key, journey in stored.items()
        if is_late(journey, additions[key.customer_id][0])
    }


def _appended(key: JourneyKey, model: ActiveModel, done: Followed) -> Change:
    restatement = append(done.moves, version=model.version, customer_id=str(key.customer_id))
    return Change(key, model.key, model.version, restatement)
