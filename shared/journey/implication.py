"""When one rule makes another pointless: what can be told from the model alone."""

from shared.journey.conditions import (
    AllOf,
    AnyOf,
    Bound,
    Condition,
    Count,
    Matches,
)
from shared.journey.durations import Duration
from shared.journey.model import LeaveRule


def implies(given: Condition, then: Condition) -> bool:
    """Tell whether *then* surely holds wherever *given* does; False where that is not plain."""
    if given == then:
        return True
    if isinstance(then, AllOf):
        return all(implies(given, part) for part in then.parts)
    if isinstance(given, AnyOf):
        return all(implies(part, then) for part in given.parts)
    if isinstance(given, AllOf) and any(implies(part, then) for part in given.parts):
        return True
    if isinstance(then, AnyOf):
        return any(implies(given, part) for part in then.parts)
    return isinstance(then, Count) and _implies_count(given, then)


def _implies_count(given: Condition, then: Count) -> bool:
    if isinstance(given, Matches):
        once = Bound("at_least", 1)
        return (given.signal, once, None) == (then.signal, then.bound, then.distinct)
    return isinstance(given, Count) and _count_implies(given, then)


def _count_implies(given: Count, then: Count) -> bool:
    if (given.signal, given.distinct) != (then.signal, then.distinct):
        return False
    if given.bound.kind != then.bound.kind:
        return False
    if given.bound.kind == "at_least":
        enough = given.bound.number >= then.bound.number
        return enough and _no_longer(given.within, then.within)
    return given.bound.number <= then.bound.number and _no_longer(then.within, given.within)


def _no_longer(one: Duration | None, other: Duration | None) -> bool:
    return other is None or (one is not None and one.micros <= other.micros)


def surely_matched(condition: Condition) -> frozenset[str]:
    """Return the signals that a touchpoint matches wherever *condition* holds."""
    match condition:
        case Matches(signal):
            return frozenset({signal})
        case AllOf(parts):
            return frozenset().union(*map(surely_matched, parts))
        case AnyOf(parts):
            first, *rest = map(surely_matched, parts)
            return first.intersection(*rest)
        case _:
            return frozenset()


def always_first(first: LeaveRule, later: LeaveRule, *, in_file_order: bool) -> bool:
    """Tell whether *first* is always due before *later* and leaves without asking.

    Args:
        first: A leave rule.
        later: Another of the same stage.
        in_file_order: Whether *first* stands before it.
    """
    shorter = first.after.micros < later.after.micros
    in_time = shorter or (in_file_order and first.after.micros == later.after.micros)
    return first.when is None and in_time and _base_no_later(first, later)


def _base_no_later(first: LeaveRule, later: LeaveRule) -> bool:
    """Tell whether the base of *first* is never after that of *later*."""
    if first.idle:
        return later.idle
    return not first.without or set(first.without) <= set(later.without)
