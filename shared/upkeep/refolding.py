"""Refolding: journeys computed anew where late data or other links change their history."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from shared.instants import Instant
from shared.journey.fold import Fold, FoldState
from shared.journey.moves import TouchpointCause
from shared.journey.program import Program
from shared.touchpoints import Place, Touchpoint
from shared.upkeep.active_models import ActiveModel
from shared.upkeep.following import Followed, Published, restate
from shared.upkeep.journeys import (
    BEFORE_ALL,
    JourneyKey,
    journey_row,
    load_histories,
    load_published,
    save_journeys,
)
from shared.upkeep.snapshots import (
    SPACING,
    Snapshot,
    drop_snapshots,
    keep_snapshots,
    nearest_snapshots,
)
from shared.upkeep.transitions import Change, publish

_STEPS_AT_ONCE: Final = 2_000
"""Touchpoints folded before the event loop gets its turn: well under 50 ms."""


class Refolded(NamedTuple):
    """A journey computed anew, and the states on the way that are worth keeping."""

    followed: Followed
    states: list[FoldState]


async def fold_history(
    program: Program,
    base: FoldState | None,
    history: Iterable[Touchpoint],
    settled_at: Instant | None,
) -> Refolded:
    """Fold what of *history* comes after *base*, then the deadlines up to *settled_at*.

    Args:
        program: The compiled model.
        base: A snapshot to go on from; None: from the beginning.
        history: Touchpoints in canonical order, at least all that come after *base*.
        settled_at: That of the state this replaces: deadlines that were published stay so.
    """
    fold = Fold(program, base)
    begin = _place(base)
    states: list[FoldState] = []
    for count, touchpoint in enumerate(history, start=1):
        if touchpoint.place <= begin:
            continue
        fold.apply(touchpoint)
        if count % SPACING == 0:
            states.append(fold.freeze())
        if count % _STEPS_AT_ONCE == 0:
            await asyncio.sleep(0)
    if settled_at is not None:
        fold.advance(settled_at)
    return Refolded(Followed.of(fold), states)


async def refold_journeys(
    connection: asyncpg.Connection,
    late: Mapping[JourneyKey, Place],
    stored: Mapping[JourneyKey, FoldState],
    models: Mapping[int, ActiveModel],
    *,
    now: Instant,
) -> None:
    """Fold journeys anew from before a place, and restate what was published wrongly.

    Args:
        connection: In a transaction that has the journeys locked.
        late: Which journeys, and the place of the first touchpoint that they lack.
        stored: Their present states, where they have one.
        models: The active models by row id.
        now: When these decisions are made.
    """
    if not late:
        return
    bases = await nearest_snapshots(connection, late)
    await drop_snapshots(connection, late)
    since = {key: _place(bases.get(key)) for key in sorted(late)}
    histories = await load_histories(connection, _earliest(since))
    published = await load_published(connection, since)
    refolded: dict[JourneyKey, Refolded] = {}
    for key in since:
        program, base = models[key.model_id].program, bases.get(key)
        settled_at = stored[key].settled_at if key in stored else None
        history = histories.get(key.customer_id, [])
        refolded[key] = await fold_history(program, base, history, settled_at)
    rows = {key: journey_row(done.followed) for key, done in refolded.items()}
    await save_journeys(connection, rows, now=now)
    states = [
        Snapshot(key, state, lasting=True)
        for key, done in refolded.items()
        for state in done.states
    ]
    await keep_snapshots(connection, states)
    changes = [
        _restated(key, models[key.model_id], refolded[key].followed, published.get(key, []), place)
        for key, place in since.items()
    ]
    await publish(connection, changes, decided_at=now)


def _restated(
    key: JourneyKey,
    model: ActiveModel,
    done: Followed,
    published: Iterable[Published],
    since: Place,
) -> Change:
    standing = [entry for entry in published if _is_after(entry, since)]
    restatement = restate(
        standing, done.moves, version=model.version, customer_id=str(key.customer_id)
    )
    return Change(key, model, restatement)


def _earliest(since: Mapping[JourneyKey, Place]) -> dict[UUID, Place]:
    earliest: dict[UUID, Place] = {}
    for key, place in since.items():
        earliest[key.customer_id] = min(earliest.get(key.customer_id, place), place)
    return earliest


def _place(state: FoldState | None) -> Place:
    return state.last if state is not None and state.last is not None else BEFORE_ALL


def _is_after(entry: Published, place: Place) -> bool:
    """Tell whether a transition was made after the touchpoint at *place* had been applied."""
    move = entry.move
    if isinstance(move.cause, TouchpointCause):
        return Place(move.at, move.cause.source, move.cause.event_id) > place
    return move.at >= place.at
