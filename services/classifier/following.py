"""Following a journey: what new touchpoints do to what is stored and published; pure.

A journey is a function of the customer's touchpoints, so what is stored of it is only a cache.
A touchpoint at the end of the canonical order is one step on that cache. A late one is folded
again from the history, and the published transitions are compared with what they should have been.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.instants import Instant
from shared.journey.fold import Fold, FoldState
from shared.journey.moves import Move, transition_id
from shared.journey.program import Program
from shared.touchpoints import Touchpoint


@dataclass(frozen=True, slots=True)
class Stored:
    """A journey as it is cached.

    ``settled_through`` is the last instant whose deadlines were published by the timer; the state
    has applied them, so a touchpoint at or before it is late even if none follows it.
    """

    state: FoldState
    settled_through: Instant | None


@dataclass(frozen=True, slots=True)
class Followed:
    """A journey after new touchpoints, with the moves that were made on the way, in order."""

    state: FoldState
    settled_through: Instant | None
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """A transition that stands: assertion number ``n`` of ``id``."""

    id: str
    n: int
    move: Move


@dataclass(frozen=True, slots=True)
class Restatement:
    """What has to be taken back and what has to be said, each in its order."""

    retracted: tuple[Published, ...]
    asserted: tuple[tuple[str, Move], ...]


def is_late(stored: Stored, touchpoint: Touchpoint) -> bool:
    """Tell whether *touchpoint* stands before something that *stored* has applied."""
    place = stored.state.place
    if place is not None and touchpoint.place <= place:
        return True
    return stored.settled_through is not None and touchpoint.at <= stored.settled_through


def step(program: Program, stored: Stored | None, arrivals: Sequence[Touchpoint]) -> Followed:
    """Apply *arrivals*, in canonical order and none of them late, to *stored*."""
    fold = Fold(program, stored.state if stored else None)
    for touchpoint in arrivals:
        fold.apply(touchpoint)
    settled_through = stored.settled_through if stored else None
    return Followed(fold.freeze(), settled_through, tuple(fold.moves))


def refold(
    program: Program, history: Iterable[Touchpoint], settled_through: Instant | None
) -> Followed:
    """Fold the whole *history*, in canonical order, then the deadlines that were published."""
    fold = Fold(program)
    for touchpoint in history:
        fold.apply(touchpoint)
    if settled_through is not None:
        fold.advance(settled_through)
    return Followed(fold.freeze(), settled_through, tuple(fold.moves))


def restate(
    published: Sequence[Published], moves: Sequence[Move], *, version: str, customer_id: str
) -> Restatement:
    """Compare what was *published* with the *moves* that are true now.

    A move that stands with the same cause is left alone. One whose evidence has changed is taken
    back and said again, under the same id.
    """
    true = [(transition_id(version, customer_id, move), move) for move in moves]
    wanted = dict(true)
    standing = {entry.id for entry in published if wanted.get(entry.id) == entry.move}
    return Restatement(
        retracted=tuple(entry for entry in published if entry.id not in standing),
        asserted=tuple((id_, move) for id_, move in true if id_ not in standing),
    )
