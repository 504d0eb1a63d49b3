"""Following a journey: what new touchpoints do to what is stored and published; pure.

A journey is a function of the customer's touchpoints, so what is stored of it is only a cache.
A touchpoint at the end of the canonical order is one step on that cache. A late one is folded
again from the history, and the published transitions are compared with what they should have been.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from shared.instants import Instant
from shared.journey.fold import Fold, FoldState, follows
from shared.journey.moves import Move, transition_id
from shared.journey.program import Program
from shared.touchpoints import Touchpoint


@dataclass(frozen=True, slots=True)
class Followed:
    """A journey after touchpoints or deadlines, with the moves made on the way, in order."""

    program: Program
    state: FoldState
    moves: tuple[Move, ...]
    next_at: Instant | None
    """When it moves if no touchpoint comes."""

    @classmethod
    def of(cls, fold: Fold) -> Self:
        """Return where *fold* has got to."""
        following = fold.next
        next_at = None if following is None else following.at
        return cls(fold.program, fold.freeze(), tuple(fold.moves), next_at)


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


def step(
    program: Program, state: FoldState | None, arrivals: Sequence[Touchpoint]
) -> Followed | None:
    """Apply *arrivals*, in canonical order, to *state*.

    Returns:
        None if the first of them is late: it stands before a touchpoint or a deadline that *state*
        has applied, and the journey has to be folded from its history.
    """
    if state is not None and not follows(state, arrivals[0]):
        return None
    fold = Fold(program, state)
    for touchpoint in arrivals:
        fold.apply(touchpoint)
    return Followed.of(fold)


def appended(moves: Sequence[Move], *, version: str, customer_id: str) -> Restatement:
    """Return *moves* as what has to be said, with nothing to take back."""
    return Restatement(
        (), tuple((transition_id(version, customer_id, move), move) for move in moves)
    )


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
