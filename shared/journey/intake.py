"""Taking in the matches of a touchpoint: counting, undoing, scoring."""

from typing import TypeAlias

from shared.instants import Instant
from shared.journey.plans import Plan
from shared.journey.program import Program
from shared.journey.situation import Situation
from shared.journey.undoing import UndoableHistory
from shared.touchpoints import Place, Touchpoint

_Arrival: TypeAlias = tuple[int, UndoableHistory, str | None, bool]
"""A match by its signal: where it goes, its value, and whether it is undone already."""


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
    if plan.undoing:
        undone = [
            (signal, place)
            for signal in plan.undoing
            for place in _take_back(situation, signal, touchpoint)
        ]
        if undone:
            _take_points_off(program, situation, undone, touchpoint.at)
    lost = set()
    for signal, history, value, undone_on_arrival in arrivals:
        history.arrive(touchpoint, situation.traits, value, undone=undone_on_arrival)
        if undone_on_arrival:
            lost.add(signal)
    return program.plan(tuple(index for index in plan.live if index not in lost)) if lost else plan


def _arrival(situation: Situation, signal: int, touchpoint: Touchpoint) -> _Arrival:
    history = situation.undoable(signal)
    value = history.value_of(touchpoint, situation.traits)
    return signal, history, value, history.claimed(value, touchpoint.at)


def _take_back(situation: Situation, signal: int, touchpoint: Touchpoint) -> list[Place]:
    history = situation.undoable(signal)
    value = history.value_of(touchpoint, situation.traits)
    return [] if value is None else history.undo(value, touchpoint.at)


def _take_points_off(
    program: Program, situation: Situation, undone: list[tuple[int, Place]], at: Instant
) -> None:
    """Subtract the points of undone matches, decayed to *at*; never below 0."""
    for index, (half_life, points) in enumerate(program.points):
        off = sum(
            points[signal] * 2.0 ** ((place.at - at) / half_life)
            for signal, place in undone
            if signal in points
        )
        if off:
            value = situation.score(index, at, half_life) - off
            situation.scores[index] = (max(value, 0.0), at)
