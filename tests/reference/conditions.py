"""Truth, triggers and evidence of rules, one touchpoint or deadline at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from tests.reference.history import History
from tests.reference.json_values import Document, at_path, micros, passes

_LISTED_FOR_SUMS_AND_SCORES = 5


@dataclass(frozen=True)
class Moment:
    """What a condition may look at; ``touchpoint`` is None at a deadline."""

    history: History
    t: int
    touchpoint: int | None
    entered_at: int | None
    activity: str | None
    reached: frozenset[str]


def holds(condition: Document, now: Moment) -> bool:
    """Tell whether *condition* is true at the moment *now*."""
    kind = next(name for name in _TRUTH if name in condition)
    return _TRUTH[kind](condition, now)


def _score_holds(condition: Document, now: Moment) -> bool:
    score = round(now.history.score(condition["score"], now.t), 6)
    return _within_bounds(condition, Fraction(repr(score)))


def _trait_holds(condition: Document, now: Moment) -> bool:
    tests = {name: operand for name, operand in condition.items() if name != "trait"}
    return passes(at_path(now.history.latest_traits(), condition["trait"]), tests)


def _long_enough(condition: Document, now: Moment) -> bool:
    if now.entered_at is None:
        return False
    return now.t - now.entered_at >= micros(condition["in_stage_for"])


def _signal_holds(condition: Document, now: Moment) -> bool:
    signal = condition["signal"]
    if "at_least" not in condition and "at_most" not in condition:
        return now.touchpoint in now.history.arrived(signal)
    counted = now.history.live_within(signal, condition.get("within"), now.t)
    if "sum" in condition:
        return _within_bounds(condition, now.history.total(counted, condition["sum"]))
    if "distinct" in condition:
        counted = now.history.latest_of_each_value(counted, condition["distinct"])
    return _within_bounds(condition, Fraction(len(counted)))


def _within_bounds(condition: Document, have: Fraction) -> bool:
    if "at_least" in condition:
        return have >= Fraction(repr(condition["at_least"]))
    return have <= Fraction(repr(condition["at_most"]))


_TRUTH: Final[dict[str, Callable[[Document, Moment], bool]]] = {
    "all": lambda condition, now: all(holds(part, now) for part in condition["all"]),
    "any": lambda condition, now: any(holds(part, now) for part in condition["any"]),
    "not": lambda condition, now: not holds(condition["not"], now),
    "score": _score_holds,
    "trait": _trait_holds,
    "in_stage_for": _long_enough,
    "activity": lambda condition, now: now.activity in condition["activity"],
    "reached": lambda condition, now: condition["reached"] in now.reached,
    "signal": _signal_holds,
}


def triggers(condition: Document, model: Document) -> set[str]:
    """Return the signals of which a touchpoint must match one for the rule to be looked at."""
    for joined in ("all", "any"):
        if joined in condition:
            return {signal for part in condition[joined] for signal in triggers(part, model)}
    if "at_most" in condition:
        return set()
    if "score" in condition:
        return _positive(model, condition["score"])
    return {condition["signal"]} if "signal" in condition else set()


def evidence(condition: Document, now: Moment) -> list[int]:
    """Return the touchpoints that made *condition* true, as indexes in the order they are told."""
    listed: list[int] = []
    for part in _at_least_conditions(condition):
        if holds(part, now):
            listed += [index for index in _newest(part, now) if index not in listed]
    return listed


def _at_least_conditions(condition: Document) -> Iterator[Document]:
    """Yield the ``at_least`` conditions in file order, at any depth but not under a ``not``."""
    for joined in ("all", "any"):
        for part in condition.get(joined, []):
            yield from _at_least_conditions(part)
    if "at_least" in condition:
        yield condition


def _newest(condition: Document, now: Moment) -> list[int]:
    history = now.history
    if "score" in condition:
        positive = _positive(history.model, condition["score"])
        matches = [index for signal in positive for index in history.live(signal)]
        newest = sorted(matches, reverse=True)[:_LISTED_FOR_SUMS_AND_SCORES]
        return list(dict.fromkeys(newest))
    counted = history.live_within(condition["signal"], condition.get("within"), now.t)
    limit = condition["at_least"]
    if "sum" in condition:
        counted = history.with_number(counted, condition["sum"])
        limit = _LISTED_FOR_SUMS_AND_SCORES
    elif "distinct" in condition:
        counted = history.latest_of_each_value(counted, condition["distinct"])
    return sorted(counted, reverse=True)[: int(limit)]


def _positive(model: Document, score: str) -> set[str]:
    points = model["scores"][score]["points"]
    return {signal for signal, worth in points.items() if worth > 0}
