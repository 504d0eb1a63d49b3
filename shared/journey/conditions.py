"""Conditions of rules as data, and the signals that trigger a rule."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from shared.journey.durations import Duration
from shared.journey.matchers import Comparison
from shared.journey.values import Path

ActivityState: TypeAlias = Literal["active", "dormant", "churned"]


@dataclass(frozen=True, slots=True)
class Bound:
    """``at_least`` or ``at_most`` a number, both inclusive."""

    kind: Literal["at_least", "at_most"]
    number: int | float


@dataclass(frozen=True, slots=True)
class Matches:
    """This very touchpoint matches *signal*."""

    signal: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many live matches, or different values among them, lie ``within``."""

    signal: str
    bound: Bound
    within: Duration | None
    distinct: Path | None

    @property
    def newest(self) -> int:
        """How many of the newest matches decide this."""
        number = int(self.bound.number)
        return number if self.bound.kind == "at_least" else number + 1


@dataclass(frozen=True, slots=True)
class Sum:
    """The exact sum of the numbers at *path* over the live matches ``within``."""

    signal: str
    path: Path
    bound: Bound
    within: Duration | None


@dataclass(frozen=True, slots=True)
class ScoreIs:
    """The score, rounded to 6 decimals, against a bound."""

    score: str
    bound: Bound


@dataclass(frozen=True, slots=True)
class TraitIs:
    """Tests on one of the customer's traits; *path* is without the leading ``traits``."""

    path: Path
    tests: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class InStageFor:
    """The customer has been in the present stage for that long."""

    duration: Duration


@dataclass(frozen=True, slots=True)
class ActivityIs:
    """The activity is one of *states*."""

    states: tuple[ActivityState, ...]


@dataclass(frozen=True, slots=True)
class Reached:
    """The customer has entered *stage* at some time, in any cycle."""

    stage: str


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Condition"


Leaf: TypeAlias = Matches | Count | Sum | ScoreIs | TraitIs | InStageFor | ActivityIs | Reached
Condition: TypeAlias = Leaf | AllOf | AnyOf | Not


def leaves(condition: Condition, *, under_not: bool = True) -> Iterator[Leaf]:
    """Go through the conditions without parts in file order, at any depth.

    Args:
        condition: Where to begin.
        under_not: Whether those under a ``not`` are wanted too.
    """
    match condition:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from leaves(part, under_not=under_not)
        case Not(part):
            if under_not:
                yield from leaves(part)
        case leaf:
            yield leaf


def trigger_signals(
    condition: Condition, raising: Callable[[str], frozenset[str]]
) -> frozenset[str]:
    """Return the signals whose matches make a rule with this condition worth a look.

    Args:
        condition: The rule's ``when``.
        raising: Gives the signals with positive points in the score of that key.
    """
    found: set[str] = set()
    for leaf in leaves(condition, under_not=False):
        match leaf:
            case Matches(signal):
                found.add(signal)
            case Count(signal=signal, bound=Bound("at_least")):
                found.add(signal)
            case Sum(signal=signal, bound=Bound("at_least")):
                found.add(signal)
            case ScoreIs(score, Bound("at_least")):
                found |= raising(score)
            case _:
                pass
    return frozenset(found)
