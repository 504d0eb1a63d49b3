"""Conditions as a model writes them, and as people say them."""

import json
from collections.abc import Mapping
from typing import Final, assert_never

from shared.journey.conditions import (
    ActivityIs,
    AllOf,
    AnyOf,
    Bound,
    Condition,
    Count,
    InStageFor,
    Matches,
    Not,
    Reached,
    ScoreIs,
    Sum,
    TraitIs,
)
from shared.journey.durations import Duration
from shared.journey.matchers import Comparison, Operator
from shared.touchpoints import JsonObject

_WORDS: Final[Mapping[Operator, str]] = {
    "eq": "is",
    "ne": "is not",
    "gt": "is over",
    "gte": "is at least",
    "lt": "is under",
    "lte": "is at most",
    "in": "is one of",
    "contains": "contains",
    "prefix": "begins with",
}


def condition_document(condition: Condition) -> JsonObject:
    """Write *condition* as the object that stands in a model."""
    match condition:
        case AllOf(parts):
            return {"all": [condition_document(part) for part in parts]}
        case AnyOf(parts):
            return {"any": [condition_document(part) for part in parts]}
        case Not(part):
            return {"not": condition_document(part)}
        case Count(signal, bound, within, distinct):
            given = {"distinct": ".".join(distinct)} if distinct else {}
            return {"signal": signal, **given, **_bound(bound), **_within(within)}
        case Sum(signal, path, bound, within):
            return {"signal": signal, "sum": ".".join(path), **_bound(bound), **_within(within)}
        case _:
            return _state_document(condition)


def _state_document(
    condition: Matches | ScoreIs | TraitIs | InStageFor | ActivityIs | Reached,
) -> JsonObject:
    match condition:
        case Matches(signal):
            return {"signal": signal}
        case ScoreIs(score, bound):
            return {"score": score, **_bound(bound)}
        case TraitIs(path, tests):
            return {"trait": ".".join(path), **tests_document(tests)}
        case InStageFor(duration):
            return {"in_stage_for": duration.text}
        case ActivityIs(states):
            return {"activity": list(states)}
        case Reached(stage):
            return {"reached": stage}
        case _:
            assert_never(condition)


def tests_document(tests: tuple[Comparison, ...]) -> JsonObject:
    """Write *tests* as the members that stand in a model."""
    return {test.operator: test.operand for test in tests}


def _bound(bound: Bound) -> JsonObject:
    return {bound.kind: bound.number}


def _within(within: Duration | None) -> JsonObject:
    return {"within": within.text} if within else {}


def phrase(condition: Condition) -> str:
    """Say what *condition* asks for, to stand after "needs"."""
    match condition:
        case AllOf(parts):
            return f"all of ({'; '.join(map(phrase, parts))})"
        case AnyOf(parts):
            return f"one of ({'; '.join(map(phrase, parts))})"
        case Not(part):
            return f"not ({phrase(part)})"
        case Count(signal, bound, within, distinct):
            different = f" with different {'.'.join(distinct)}" if distinct else ""
            return f"{_bound_phrase(bound)} {signal}{different}{_within_phrase(within)}"
        case Sum(signal, path, bound, within):
            of = f"of {'.'.join(path)} over {signal}{_within_phrase(within)}"
            return f"a sum {of} of {_bound_phrase(bound)}"
        case _:
            return _state_phrase(condition)


def _state_phrase(
    condition: Matches | ScoreIs | TraitIs | InStageFor | ActivityIs | Reached,
) -> str:
    match condition:
        case Matches(signal):
            return f"a touchpoint that is {signal}"
        case ScoreIs(score, bound):
            return f"a score {score} of {_bound_phrase(bound)}"
        case TraitIs(path, tests):
            asked = " and ".join(map(_test_phrase, tests))
            return f"a trait {'.'.join(path)} that {asked}"
        case InStageFor(duration):
            return f"{duration.text} in the stage"
        case ActivityIs(states):
            return f"the activity {' or '.join(states)}"
        case Reached(stage):
            return f"{stage} reached before"
        case _:
            assert_never(condition)


def _bound_phrase(bound: Bound) -> str:
    return f"{bound.kind.replace('_', ' ')} {bound.number}"


def _within_phrase(within: Duration | None) -> str:
    return f" within {within.text}" if within else ""


def _test_phrase(test: Comparison) -> str:
    if test.operator == "exists":
        return "is there" if test.operand is True else "is missing"
    return f"{_WORDS[test.operator]} {json.dumps(test.operand, ensure_ascii=False)}"
