"""Taking in the matches of a touchpoint: counting, undoing, scoring."""

from typing import NamedTuple

from shared.instants import Instant
from shared.journey.needs import Seen
from shared.journey.plans import Plan
from shared.journey.program import Program
from shared.journey.situation import Situation
from shared.journey.undoing import UndoableHistory
from shared.touchpoints import Touchpoint


class _Arrival(NamedTuple):
    """A match that an earlier touchpoint may have undone already."""

    signal: int
    history: UndoableHistory
    value: str | None
    undone: bool


def take_in(program: Program, situation: Situation, plan: Plan, touchpoint: Touchpoint) -> Plan:
    """Add the matches of *touchpoint*, do the undos, add the points.

    Returns:
        The plan for the matches that live: those undone on arrival are no matches at all.
    """
    for signal in plan.simple:
        history = situation.histories.get(signal) or situation.history(signal)
        history.count += 1
        history.newest.append(touchpoint)
    if plan.involved:
        for signal in plan.rich:
            situation.history(signal).add(touchpoint, situation.traits)
        plan = _undo(program, situation, plan, touchpoint)
        for signal in plan.summed:
            if signal in situation.histories:
                situation.histories[signal].prune_sums(touchpoint.at)
    if plan.points:
        situation.add_points(plan.points, touchpoint.at)
    return plan


def _undo(program: Program, situation: Situation, plan: Plan, touchpoint: Touchpoint) -> Plan:
    """Undo what *touchpoint* undoes, and of its own matches those that were waited for.

    Both look only at what came before it, so its matches are added last.
    """
    arrivals = [_arrival(situation, signal, touchpoint) for signal in plan.undoable]
    undone = [
        (signal, seen)
        for signal in plan.undoing
        for seen in _take_back(situation, signal, touchpoint)
    ]
    if undone:
        _take_points_off(program, situation, undone, touchpoint.at)
    for arrival in arrivals:
        arrival.history.arrive(touchpoint, situation.traits, arrival.value, undone=arrival.undone)
    lost = {arrival.signal for arrival in arrivals if arrival.undone}
    return program.plan(tuple(index for index in plan.live if index not in lost)) if lost else plan


def _arrival(situation: Situation, signal: int, touchpoint: Touchpoint) -> _Arrival:
    history = situation.undoable(signal)
    value = history.value_of(touchpoint, situation.traits)
    return _Arrival(signal, history, value, history.claimed(value, touchpoint.at))


def _take_back(situation: Situation, signal: int, touchpoint: Touchpoint) -> list[Seen]:
    history = situation.undoable(signal)
    value = history.value_of(touchpoint, situation.traits)
    return [] if value is None else history.undo(value, touchpoint.at)


def _take_points_off(
    program: Program, situation: Situation, undone: list[tuple[int, Seen]], at: Instant
) -> None:
    """Subtract the points of undone matches, decayed to *at*; never below 0."""
    for index, (half_life, points) in enumerate(program.points):
        off = sum(
            points[signal] * 2.0 ** ((seen.at - at) / half_life)
            for signal, seen in undone
            if signal in points
        )
        if off:
            value = situation.score(index, at, half_life) - off
            situation.scores[index] = (max(value, 0.0), at)
