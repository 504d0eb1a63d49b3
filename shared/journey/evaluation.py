"""Conditions compiled to functions of the customer's situation."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Final, TypeAlias

from shared.instants import Instant, Micros
from shared.journey.conditions import (
    ActivityIs,
    AllOf,
    AnyOf,
    Bound,
    Condition,
    Count,
    InStageFor,
    Leaf,
    Matches,
    Not,
    Reached,
    ScoreIs,
    Sum,
    TraitIs,
    leaves,
)
from shared.journey.matchers import compile_tests
from shared.journey.needs import SHOWN, Seen, place_of
from shared.journey.situation import NO_STAGE, Situation
from shared.journey.values import at_path, decimal_of
from shared.touchpoints import Place

Holds: TypeAlias = Callable[[Situation, Instant], bool]
"""Tells whether a condition holds at an instant not before the newest match."""

_NOTHING: Final = Decimal(0)

DECIMALS: Final = 6
"""To how many decimals scores are compared and shown."""


@dataclass(frozen=True, slots=True)
class Positions:
    """Where the keys of a model stand in a situation.

    ``scores`` gives the position and half-life, ``raising`` the signals with positive points.
    """

    signals: Mapping[str, int]
    scores: Mapping[str, tuple[int, Micros]]
    raising: Mapping[str, frozenset[str]]
    ranks: Mapping[str, int]


def compile_condition(
    condition: Condition, positions: Positions, matched: frozenset[str] = frozenset()
) -> Holds | bool:
    """Return what *condition* still asks of the situation.

    Args:
        condition: Any condition.
        positions: Of the model it belongs to.
        matched: The signals of which the touchpoint being applied is a live match.
    """
    match condition:
        case AllOf(parts):
            return _every([compile_condition(part, positions, matched) for part in parts])
        case AnyOf(parts):
            return _some([compile_condition(part, positions, matched) for part in parts])
        case Not(part):
            inner = compile_condition(part, positions, matched)
            return not inner if isinstance(inner, bool) else _opposite(inner)
        case Matches(signal):
            return signal in matched
        case leaf:
            return _compile_leaf(leaf, positions)


def _every(parts: Iterable[Holds | bool]) -> Holds | bool:
    parts = list(parts)
    asked = [part for part in parts if not isinstance(part, bool)]
    if False in parts or not asked:
        return False not in parts
    if len(asked) == 1:
        return asked[0]

    def holds(situation: Situation, at: Instant) -> bool:
        for part in asked:  # noqa: SIM110 - all() over a generator costs twice as much here
            if not part(situation, at):
                return False
        return True

    return holds


def _some(parts: Iterable[Holds | bool]) -> Holds | bool:
    parts = list(parts)
    asked = [part for part in parts if not isinstance(part, bool)]
    if True in parts or not asked:
        return True in parts
    if len(asked) == 1:
        return asked[0]
    return lambda situation, at: any(part(situation, at) for part in asked)


def _opposite(part: Holds) -> Holds:
    return lambda situation, at: not part(situation, at)


def _compile_leaf(leaf: Leaf, positions: Positions) -> Holds:
    match leaf:
        case Count():
            return _bounded(leaf.bound, _has_enough(leaf, positions.signals[leaf.signal]))
        case Sum():
            return _sum_holds(leaf, positions.signals[leaf.signal])
        case ScoreIs(score, bound):
            return _score_holds(*positions.scores[score], bound)
        case _:
            return _compile_state(leaf, positions)


def _compile_state(
    leaf: Matches | TraitIs | InStageFor | ActivityIs | Reached, positions: Positions
) -> Holds:
    match leaf:
        case TraitIs(path, tests):
            passes = compile_tests(tests)
            return lambda situation, _: passes(at_path(situation.traits, path))
        case InStageFor(duration):
            micros = duration.micros
            return lambda situation, at: (
                situation.slot != NO_STAGE and at - situation.entered_at >= micros
            )
        case ActivityIs(states):
            return lambda situation, _: situation.activity in states
        case Reached(stage):
            bit = 1 << positions.ranks[stage]
            return lambda situation, _: situation.reached & bit != 0
        case Matches():
            return lambda _, __: False


def _bounded(bound: Bound, enough: Holds) -> Holds:
    """``at_most: n`` is the opposite of ``at_least: n + 1``."""
    return enough if bound.kind == "at_least" else _opposite(enough)


def _has_enough(count: Count, signal: int) -> Holds:
    """Tell whether as many matches, or different values, count as decide the condition."""
    needed = count.newest
    within = None if count.within is None else count.within.micros
    if count.distinct is None and within is None:
        return lambda situation, _: (
            (history := situation.histories.get(signal)) is not None and history.count >= needed
        )
    if count.distinct is None and within is not None:
        length = within

        def newest_in_time(situation: Situation, at: Instant) -> bool:
            history = situation.histories.get(signal)
            if history is None:
                return False
            match = history.nth(needed)
            return match is not None and match.at > at - length

        return newest_in_time
    return lambda situation, at: len(counted(count, situation, signal, at)) >= needed


def counted(count: Count, situation: Situation, signal: int, at: Instant) -> list[Seen]:
    """Return the newest matches, newest first, that decide *count*; no more than it needs.

    With ``distinct`` they are the latest match of each value.
    """
    history = situation.histories.get(signal)
    if history is None:
        return []
    if count.distinct is None:
        remembered = history.newest_first()
    else:
        remembered = history.values_newest_first(count.distinct)
    if count.within is not None:
        remembered = _since(remembered, at - count.within.micros)
    return list(islice(remembered, count.newest))


def _since(newest_first: Iterator[Seen], limit: Instant) -> Iterator[Seen]:
    for seen in newest_first:
        if seen.at <= limit:
            return
        yield seen


def _sum_holds(leaf: Sum, signal: int) -> Holds:
    path, number = leaf.path, decimal_of(leaf.bound.number)
    within = None if leaf.within is None else leaf.within.micros
    at_least = leaf.bound.kind == "at_least"

    def holds(situation: Situation, at: Instant) -> bool:
        history = situation.histories.get(signal)
        total = _NOTHING if history is None else history.sum_of(path, within).at(at)
        return total >= number if at_least else total <= number

    return holds


def _score_holds(index: int, half_life: Micros, bound: Bound) -> Holds:
    number = bound.number
    if bound.kind == "at_least":
        return lambda situation, at: (
            round(situation.score(index, at, half_life), DECIMALS) >= number
        )
    return lambda situation, at: round(situation.score(index, at, half_life), DECIMALS) <= number


Collect: TypeAlias = Callable[[Situation, Instant], list[Seen]]
"""Gathers the matches a condition counted, newest first; none unless it holds by itself."""


def compile_evidence(condition: Condition, positions: Positions) -> tuple[Collect, ...]:
    """Return what gathers the evidence of *condition*, its ``at_least`` parts in file order."""
    return tuple(
        _collect(leaf, positions)
        for leaf in leaves(condition, under_not=False)
        if isinstance(leaf, Count | Sum | ScoreIs) and leaf.bound.kind == "at_least"
    )


def gather(collects: tuple[Collect, ...], situation: Situation, at: Instant) -> tuple[Place, ...]:
    """Return the evidence of a rule: what each part gathers, every touchpoint once."""
    listed: dict[Place, None] = {}
    for collect in collects:
        listed.update(dict.fromkeys(map(place_of, collect(situation, at))))
    return tuple(listed)


def _collect(leaf: Count | Sum | ScoreIs, positions: Positions) -> Collect:
    holds = _compile_leaf(leaf, positions)

    def collect(situation: Situation, at: Instant) -> list[Seen]:
        return counting(leaf, situation, positions, at) if holds(situation, at) else []

    return collect


def counting(
    leaf: Count | Sum | ScoreIs, situation: Situation, positions: Positions, at: Instant
) -> list[Seen]:
    """Return the newest matches that count for *leaf*, newest first, as evidence shows them."""
    match leaf:
        case Count():
            return counted(leaf, situation, positions.signals[leaf.signal], at)
        case Sum():
            within = None if leaf.within is None else leaf.within.micros
            history = situation.histories.get(positions.signals[leaf.signal])
            if history is None:
                return []
            return list(islice(history.sum_of(leaf.path, within).newest_first(at), SHOWN))
        case ScoreIs():
            return _raising(leaf.score, situation, positions)


def _raising(score: str, situation: Situation, positions: Positions) -> list[Seen]:
    found: list[Seen] = []
    for signal in positions.raising[score]:
        history = situation.histories.get(positions.signals[signal])
        if history is not None:
            found += islice(history.newest_first(), SHOWN)
    found.sort(key=lambda seen: (seen.at, seen.source, seen.event_id), reverse=True)
    return found[:SHOWN]
