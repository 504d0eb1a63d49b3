"""What a condition needs, and what there is."""

from typing import NamedTuple, assert_never

from shared.instants import Instant
from shared.journey.conditions import (
    ActivityIs,
    Count,
    InStageFor,
    Leaf,
    Matches,
    Reached,
    ScoreIs,
    Sum,
    TraitIs,
)
from shared.journey.durations import write_duration
from shared.journey.evaluation import DECIMALS, counted
from shared.journey.program import Program
from shared.journey.situation import NO_STAGE, Situation
from shared.journey.values import at_path
from shared.journey.wording import tests_document
from shared.touchpoints import JsonValue


class Figures(NamedTuple):
    """What is needed, what there is, and when the oldest counted match stops counting."""

    needed: JsonValue
    have: JsonValue
    until: Instant | None = None


def figures(program: Program, situation: Situation, condition: Leaf, as_of: Instant) -> Figures:
    """Return the figures of *condition* at *as_of*, which is not before the last touchpoint."""
    match condition:
        case Count():
            return _count_figures(program, situation, condition, as_of)
        case Sum(signal, path, bound, within):
            history = situation.histories.get(program.positions.signals[signal])
            micros = None if within is None else within.micros
            total = 0.0 if history is None else float(history.sum_of(path, micros).at(as_of))
            return Figures(bound.number, total)
        case ScoreIs(score, bound):
            index, half_life = program.positions.scores[score]
            value = situation.score(index, as_of, half_life)
            return Figures(bound.number, round(value, DECIMALS))
        case Matches():
            return Figures(1, 0)
        case _:
            return Figures(*_state_figures(program, situation, condition, as_of))


def _count_figures(program: Program, situation: Situation, count: Count, as_of: Instant) -> Figures:
    """Count no further than the condition does, all time's matches excepted."""
    signal = program.positions.signals[count.signal]
    history = situation.histories.get(signal)
    if history is not None and count.within is None and count.distinct is None:
        return Figures(count.bound.number, history.count)
    newest = counted(count, situation, signal, as_of)
    if not newest or count.within is None:
        return Figures(count.bound.number, len(newest))
    until = newest[-1].at + count.within.micros
    return Figures(count.bound.number, len(newest), until)


def _state_figures(
    program: Program,
    situation: Situation,
    condition: TraitIs | InStageFor | ActivityIs | Reached,
    as_of: Instant,
) -> tuple[JsonValue, JsonValue]:
    match condition:
        case TraitIs(path, tests):
            return tests_document(tests), at_path(situation.traits, path)
        case InStageFor(duration):
            staying = situation.slot != NO_STAGE
            return duration.text, write_duration(as_of - situation.entered_at) if staying else None
        case ActivityIs(states):
            return list(states), situation.activity
        case Reached(stage):
            return stage, bool(situation.reached >> program.positions.ranks[stage] & 1)
        case _:
            assert_never(condition)
