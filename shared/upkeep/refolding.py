"""Refolding: journeys computed anew where late data or other links change their history."""

import asyncio
from collections.abc import Iterable, Mapping
from itertools import islice
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
    histories_since,
    journey_row,
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


class Refolding:
    """A journey on its way from a snapshot, or from the beginning, through its history.

    Args:
        program: The compiled model.
        base: The snapshot to go on from; None: from the beginning.

    Attributes:
        begin: The place of the last touchpoint of the base.
    """

    def __init__(self, program: Program, base: FoldState | None) -> None:
        self._fold = Fold(program, base)
        self.begin = _place(base)
        self._count = 0
        self._states: list[FoldState] = []

    def take(self, touchpoints: Iterable[Touchpoint]) -> None:
        """Fold what of *touchpoints*, the next ones in canonical order, comes after the base."""
        for touchpoint in touchpoints:
            if self._count or touchpoint.place > self.begin:
                self._fold.apply(touchpoint)
                self._count += 1
                if self._count % SPACING == 0:
                    self._states.append(self._fold.freeze())

    def end(self, settled_at: Instant | None) -> Refolded:
        """Return where the journey has got to.

        Args:
            settled_at: That of the state this replaces: deadlines that were published stay so.
        """
        if settled_at is not None:
            self._fold.advance(settled_at)
        return Refolded(Followed.of(self._fold), self._states)


async def fold_history(
    program: Program, history: Iterable[Touchpoint], settled_at: Instant | None
) -> Refolded:
    """Fold a whole *history*, which is in canonical order, then the deadlines up to *settled_at*.

    The event loop gets its turn now and then.
    """
    refolding, rest = Refolding(program, None), iter(history)
    while some := list(islice(rest, _STEPS_AT_ONCE)):
        refolding.take(some)
        await asyncio.sleep(0)
    return refolding.end(settled_at)


async def take_stored(
    connection: asyncpg.Connection, refoldings: Mapping[JourneyKey, Refolding]
) -> None:
    """Let each of *refoldings* take what is stored of its customer, however much it is.

    Args:
        connection: In a transaction that has these histories locked.
        refoldings: Of which nothing has been taken yet.
    """
    of_customer: dict[UUID, list[Refolding]] = {}
    for key in sorted(refoldings):
        of_customer.setdefault(key.customer_id, []).append(refoldings[key])
    since = {id_: min(one.begin for one in theirs) for id_, theirs in of_customer.items()}
    async for customer_id, touchpoints in histories_since(connection, since):
        for refolding in of_customer[customer_id]:
            refolding.take(touchpoints)


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
    refoldings = {
        key: Refolding(models[key.model_id].program, bases.get(key)) for key in sorted(late)
    }
    since = {key: refolding.begin for key, refolding in refoldings.items()}
    published = await load_published(connection, since)
    await take_stored(connection, refoldings)
    refolded = {
        key: refolding.end(stored[key].settled_at if key in stored else None)
        for key, refolding in refoldings.items()
    }
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


def _place(state: FoldState | None) -> Place:
    return state.last if state is not None and state.last is not None else BEFORE_ALL


def _is_after(entry: Published, place: Place) -> bool:
    """Tell whether a transition was made after the touchpoint at *place* had been applied."""
    move = entry.move
    if isinstance(move.cause, TouchpointCause):
        return Place(move.at, move.cause.source, move.cause.event_id) > place
    return move.at >= place.at
