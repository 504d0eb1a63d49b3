"""Timelines grow: the profiles and journeys of every customer whose touchpoints changed."""

from collections.abc import Iterable, Mapping
from uuid import UUID

import asyncpg

from services.classifier.active_models import ActiveModel
from services.classifier.customers import lock_profiles, save_profiles
from services.classifier.following import Followed, appended, refold, restate, step
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
from shared.journey.fold import FoldState
from shared.profiles import profile_of
from shared.touchpoints import Touchpoint

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
    late: list[JourneyKey] = []
    for customer_id, new in additions.items():
        for model_id, model in models.items():
            key = JourneyKey(customer_id, model_id)
            done = step(model.program, stored.get(key), new)
            if done is None:
                late.append(key)
            else:
                stepped[key] = done
    changes = [_appended(key, models[key.model_id], done) for key, done in stepped.items()]
    await _save(connection, stepped, now)
    await publish(connection, changes, decided_at=now)
    await refold_journeys(connection, late, stored, models, now=now)


async def refold_journeys(
    connection: asyncpg.Connection,
    keys: Iterable[JourneyKey],
    stored: Mapping[JourneyKey, FoldState],
    models: Models,
    *,
    now: Instant,
) -> None:
    """Fold journeys anew from their whole history, and restate what was published wrongly.

    Args:
        connection: In a transaction that has the journeys of *keys* locked.
        keys: Which journeys.
        stored: Their present states, where they have one.
        models: The active models by row id.
        now: When these decisions are made.
    """
    wanted = sorted(keys)
    if not wanted:
        return
    customers = sorted({key.customer_id for key in wanted})
    histories = await load_histories(connection, customers)
    published = await load_published(connection, customers, models)
    followed: dict[JourneyKey, Followed] = {}
    changes = []
    for key in wanted:
        model, before = models[key.model_id], stored.get(key)
        settled_at = before.settled_at if before else None
        done = refold(model.program, histories.get(key.customer_id, []), settled_at)
        restatement = restate(
            published.get(key, []),
            done.moves,
            version=model.version,
            customer_id=str(key.customer_id),
        )
        followed[key] = done
        changes.append(Change(key, model.key, model.version, restatement))
    await _save(connection, followed, now)
    await publish(connection, changes, decided_at=now)


async def _save(
    connection: asyncpg.Connection,
    followed: Mapping[JourneyKey, Followed],
    now: Instant,
) -> None:
    rows = {key: journey_row(done) for key, done in followed.items()}
    await save_journeys(connection, rows, now=now)


def _appended(key: JourneyKey, model: ActiveModel, done: Followed) -> Change:
    restatement = appended(done.moves, version=model.version, customer_id=str(key.customer_id))
    return Change(key, model.key, model.version, restatement)
