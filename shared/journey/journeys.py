"""The journey: what a fold says of a customer at an instant."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.instants import Instant
from shared.journey.conditions import ActivityState
from shared.journey.deadlines import NextMove, next_move
from shared.journey.evaluation import DECIMALS
from shared.journey.moves import Move
from shared.journey.program import Program
from shared.journey.situation import NO_STAGE, Situation


@dataclass(frozen=True, slots=True)
class StageNow:
    """The present stage, since when, and the rule that led there."""

    key: str
    since: Instant
    rule: str


@dataclass(frozen=True, slots=True)
class ActivityNow:
    """The present activity, the time of the last move on its axis, and of the last sign of life."""

    state: ActivityState
    since: Instant
    last_active_at: Instant


@dataclass(frozen=True, slots=True)
class Journey:
    """A customer's journey at ``as_of``.

    ``peak_stage`` is the stage of the highest rank reached in any cycle, ``transitions`` all moves
    in the order in which they happened, ``counts`` the live matches of each signal over all time,
    ``scores`` are decayed to ``as_of`` and rounded to 6 decimals.
    """

    as_of: Instant
    stage: StageNow | None
    activity: ActivityNow | None
    cycle: int
    peak_stage: str | None
    next: NextMove | None
    transitions: tuple[Move, ...]
    counts: Mapping[str, int]
    scores: Mapping[str, float]


def journey_of(
    program: Program, situation: Situation, transitions: tuple[Move, ...], as_of: Instant
) -> Journey:
    """Describe *situation*, which has been advanced to *as_of*."""
    return Journey(
        as_of=as_of,
        stage=_stage_now(program, situation),
        activity=_activity_now(situation),
        cycle=situation.cycle,
        peak_stage=program.keys[situation.reached.bit_length()] or None,
        next=next_move(program, situation),
        transitions=transitions,
        counts=_counts(program, situation),
        scores=_scores(program, situation, as_of),
    )


def _stage_now(program: Program, situation: Situation) -> StageNow | None:
    if situation.slot == NO_STAGE:
        return None
    key = program.keys[situation.slot]
    return StageNow(key, situation.entered_at, situation.entered_rule)


def _activity_now(situation: Situation) -> ActivityNow | None:
    if situation.activity is None or situation.last_active is None:
        return None
    return ActivityNow(situation.activity, situation.activity_since, situation.last_active.at)


def _counts(program: Program, situation: Situation) -> dict[str, int]:
    counts = dict.fromkeys(program.positions.signals, 0)
    for key, index in program.positions.signals.items():
        history = situation.histories.get(index)
        if history is not None:
            counts[key] = history.count
    return counts


def _scores(program: Program, situation: Situation, as_of: Instant) -> dict[str, float]:
    return {
        key: round(situation.score(index, as_of, half_life), DECIMALS)
        for key, (index, half_life) in program.positions.scores.items()
    }
