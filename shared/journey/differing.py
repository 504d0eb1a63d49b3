"""Differing: what the journeys of one customer under two stage models have apart; pure.

Two journeys are the same if they make the same moves at the same times: between the same stages or
activity states, in the same cycle. Which rule made a move, and on what evidence, is not looked at,
since a rule may be named or put otherwise and mean the same.

Of two models, one may be a version of the other in which stages were renamed or split. What its
lineage says an old stage became counts as that stage.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, get_args

from shared.instants import Instant
from shared.journey.conditions import ActivityState
from shared.journey.fold import Fold
from shared.journey.moves import Axis, Move
from shared.journey.program import Program
from shared.touchpoints import Touchpoint

_AXES: Final[tuple[Axis, ...]] = get_args(Axis)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a customer stands under one model; ``stage`` is None before the first sign of life."""

    stage: str | None
    activity: ActivityState | None
    cycle: int


@dataclass(frozen=True, slots=True)
class Parting:
    """The first moves on one axis that differ; None where that side makes no further one."""

    before: Move | None
    after: Move | None

    @property
    def first(self) -> Move:
        """The earlier of the two; of those at one time, what happened before."""
        moves = [move for move in (self.before, self.after) if move is not None]
        return min(moves, key=lambda move: move.at)


@dataclass(frozen=True, slots=True)
class Compared:
    """Where one customer stands under both models, and where the two journeys part."""

    before: Standing
    after: Standing
    parting: Parting | None


class Stages:
    """Which stages of two models are the same.

    Args:
        before: The model that is compared with.
        after: The model that is compared.
    """

    def __init__(self, before: Program, after: Program) -> None:
        self._became: Mapping[str, tuple[str, ...]] = after.model.lineage
        self._came_from: Mapping[str, tuple[str, ...]] = before.model.lineage

    def agree(self, before: str | None, after: str | None) -> bool:
        """Tell whether a stage of the one model is that of the other; None is no stage."""
        if before is None or after is None or before == after:
            return before == after
        return after in self._became.get(before, ()) or before in self._came_from.get(after, ())


class Comparison:
    """One customer's history on its way through two models.

    What both sides have done alike is not kept, so memory grows with neither of them.

    Args:
        before: The model that is compared with.
        after: The model that is compared.
        as_of: Up to when touchpoints and deadlines count.
    """

    def __init__(self, before: Program, after: Program, as_of: Instant) -> None:
        self._stages = Stages(before, after)
        self._sides = Fold(before), Fold(after)
        self._as_of = as_of
        self._open: dict[Axis, tuple[list[Move], list[Move]]] = {axis: ([], []) for axis in _AXES}
        self._partings: dict[Axis, Parting] = {}

    def take(self, touchpoints: Iterable[Touchpoint]) -> None:
        """Fold the next touchpoints in canonical order."""
        counted = [touchpoint for touchpoint in touchpoints if touchpoint.at <= self._as_of]
        for side in self._sides:
            for touchpoint in counted:
                side.apply(touchpoint)
        self._match()

    def end(self) -> Compared:
        """Run the deadlines that are left, and tell what came out."""
        for side in self._sides:
            side.advance(self._as_of)
        self._match()
        for axis, (before, after) in self._open.items():
            if before or after:
                parting = Parting(*(moves[0] if moves else None for moves in (before, after)))
                self._partings.setdefault(axis, parting)
        partings = [self._partings[axis] for axis in _AXES if axis in self._partings]
        first = min(partings, key=lambda parting: parting.first.at, default=None)
        before_side, after_side = self._sides
        return Compared(_standing(before_side), _standing(after_side), first)

    def _match(self) -> None:
        """Let go of what both sides have done alike since the last time."""
        for index, side in enumerate(self._sides):
            made, side.moves = side.moves, []
            for move in made:
                if move.axis not in self._partings:
                    self._open[move.axis][index].append(move)
        for axis, (before, after) in self._open.items():
            both = min(len(before), len(after))
            alike = next((n for n in range(both) if not self._same(before[n], after[n])), both)
            if alike < both:
                self._partings[axis] = Parting(before[alike], after[alike])
                alike = max(len(before), len(after))
            del before[:alike], after[:alike]

    def _same(self, before: Move, after: Move) -> bool:
        if (before.at, before.cycle) != (after.at, after.cycle):
            return False
        if before.axis == "activity":
            return before.to == after.to
        return self._stages.agree(before.to, after.to)


def _standing(fold: Fold) -> Standing:
    situation = fold.situation
    key = fold.program.keys[situation.slot] or None
    return Standing(key, situation.activity, situation.cycle)
