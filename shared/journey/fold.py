"""The fold: from touchpoints in canonical order to a journey.

The state of one customer changes in place inside of a fold, because copying it for every
touchpoint would cost more than all else; it is frozen at the border.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final

from shared.instants import EARLIEST, Instant
from shared.journey.deadlines import NextMove, kind_of, next_move, run_deadlines
from shared.journey.evaluation import gather
from shared.journey.intake import take_in
from shared.journey.journeys import Journey, journey_of
from shared.journey.moves import Kind, Move, TouchpointCause
from shared.journey.needs import place_of
from shared.journey.plans import Plan
from shared.journey.program import Program
from shared.journey.rules import TouchpointRule
from shared.journey.situation import NO_STAGE, Situation
from shared.journey.snapshots import FoldState, freeze, thaw
from shared.touchpoints import Place, Touchpoint

_BEFORE_ALL: Final[Instant] = EARLIEST - 1

__all__ = ["Fold", "FoldState", "fold", "follows", "in_order", "journey_at"]


class Fold:
    """The journey of one customer, touchpoint by touchpoint in canonical order.

    Attributes:
        moves: Made since construction, in the order in which they happened.
    """

    __slots__ = ("_due", "_latest", "_program", "_situation", "moves")

    def __init__(self, program: Program, state: FoldState | None = None) -> None:
        self._program = program
        self._situation = thaw(program, state) if state else program.new_situation()
        self.moves: list[Move] = []
        self._due: Instant = _BEFORE_ALL
        last = self._situation.last
        self._latest = max(self._situation.settled_at, _BEFORE_ALL if last is None else last.at)

    @property
    def place(self) -> Place | None:
        """The place of the touchpoint applied last."""
        last = self._situation.last
        return None if last is None else place_of(last)

    @property
    def program(self) -> Program:
        """The compiled model."""
        return self._program

    @property
    def situation(self) -> Situation:
        """Where the customer stands; only to be read."""
        return self._situation

    def follows(self, touchpoint: Touchpoint) -> bool:
        """Tell whether *touchpoint* comes after all that was applied, deadlines included."""
        return follows(self._situation, touchpoint)

    def apply(self, touchpoint: Touchpoint) -> None:
        """Advance to just before *touchpoint*, then let it do what it does.

        Raises:
            ValueError: It is not later in canonical order than the last one applied, or not
                later than a deadline that was run.
        """
        at = touchpoint.at
        if at <= self._latest and not self.follows(touchpoint):
            raise ValueError(f"{touchpoint.place} does not follow what was applied before it")
        if self._due < at:
            self.advance(at - 1)
        self._latest = at
        situation = self._situation
        situation.last = touchpoint
        if touchpoint.traits:
            situation.merge_traits(touchpoint.traits)
        plan, alive = self._program.meaning(touchpoint, situation.traits)
        if plan.live:
            plan = take_in(self._program, situation, plan, touchpoint)
        if alive:
            situation.last_active = touchpoint
            if situation.activity != "active":
                self._wake(plan, touchpoint)
                return
        if plan.triggers:
            self._follow_rules(plan, touchpoint)

    def advance(self, to: Instant) -> None:
        """Run the deadlines up to *to*, that instant included."""
        self._due = run_deadlines(self._program, self._situation, to, self.moves)
        self._latest = max(self._latest, self._situation.settled_at)

    @property
    def next(self) -> NextMove | None:
        """The move that comes if no touchpoint does."""
        return next_move(self._program, self._situation)

    def freeze(self) -> FoldState:
        """Return a snapshot that nothing changes any more."""
        return freeze(self._program, self._situation)

    def journey(self, as_of: Instant, before: Sequence[Move] = ()) -> Journey:
        """Return the journey at *as_of*, to which the fold must have been advanced.

        Args:
            as_of: Not before the last touchpoint applied.
            before: The moves made before this fold went on from a snapshot.
        """
        return journey_of(self._program, self._situation, (*before, *self.moves), as_of)

    def _wake(self, plan: Plan, touchpoint: Touchpoint) -> None:
        """Begin or resume being active; rules still see the activity before.

        Only here can a stage be missing that no rule gave: the first sign of life gives one.
        """
        situation = self._situation
        situation.activity_since = touchpoint.at
        cause = TouchpointCause(touchpoint.source, touchpoint.event_id)
        before, at, cycle = situation.activity, touchpoint.at, situation.cycle
        self._note(Move("activity", "activity", before, "active", at, cycle, "sign_of_life", cause))
        self._follow_rules(plan, touchpoint)
        if situation.slot == NO_STAGE:
            self._enter(self._program.start, "start", touchpoint)
        situation.activity = "active"

    def _follow_rules(self, plan: Plan, touchpoint: Touchpoint) -> None:
        """Restart the cycle if a rule says so, then enter a stage if a rule says so."""
        situation, at = self._situation, touchpoint.at
        for holds, rule in plan.restarts[situation.slot]:
            if holds(situation, at):
                situation.cycle += 1
                self._enter(rule, "restart", touchpoint)
                break
        for holds, rule in plan.enters[situation.slot]:
            if holds(situation, at):
                self._enter(rule, kind_of(situation.slot, rule.slot), touchpoint)
                break

    def _enter(self, rule: TouchpointRule, kind: Kind, touchpoint: Touchpoint) -> None:
        situation, program, at = self._situation, self._program, touchpoint.at
        evidence = gather(rule.evidence, situation, at)
        cause = TouchpointCause(touchpoint.source, touchpoint.event_id, evidence)
        before, to = program.keys[situation.slot] or None, program.keys[rule.slot]
        self._note(Move("stage", kind, before, to, at, situation.cycle, rule.name, cause))
        situation.enter(rule.slot, at, rule.name, touchpoint)

    def _note(self, move: Move) -> None:
        self.moves.append(move)
        self._due = _BEFORE_ALL


def follows(reached: Situation | FoldState, touchpoint: Touchpoint) -> bool:
    """Tell whether *touchpoint* comes after all that led to *reached*, deadlines included."""
    last = reached.last
    if touchpoint.at <= reached.settled_at:
        return False
    if last is None or touchpoint.at != last.at:
        return last is None or touchpoint.at > last.at
    return touchpoint.place > place_of(last)


def fold(program: Program, touchpoints: Iterable[Touchpoint], as_of: Instant) -> Journey:
    """Return the journey at *as_of* of the customer with these touchpoints.

    Args:
        program: The compiled model.
        touchpoints: In any order; of those with one identity the first counts.
        as_of: What is later than it is not looked at.
    """
    folding = Fold(program)
    for touchpoint in in_order(touchpoints):
        if touchpoint.at > as_of:
            break
        folding.apply(touchpoint)
    folding.advance(as_of)
    return folding.journey(as_of)


def in_order(touchpoints: Iterable[Touchpoint]) -> list[Touchpoint]:
    """Return *touchpoints* in canonical order, of those with one identity the first given."""
    first: dict[tuple[str, str], Touchpoint] = {}
    for touchpoint in touchpoints:
        first.setdefault((touchpoint.source, touchpoint.event_id), touchpoint)
    return sorted(first.values(), key=attrgetter("at", "source", "event_id"))


def journey_at(
    program: Program, state: FoldState, moves: Sequence[Move], as_of: Instant
) -> Journey:
    """Go on from *state* to *as_of* without further touchpoints.

    Args:
        program: The compiled model that *state* is of.
        state: A snapshot from before *as_of*.
        moves: All that happened up to the snapshot, in order.
        as_of: When the journey is asked for.
    """
    folding = Fold(program, state)
    folding.advance(as_of)
    return folding.journey(as_of, moves)
