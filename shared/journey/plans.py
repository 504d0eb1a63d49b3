"""What a touchpoint sets off, worked out ahead of it."""

from dataclasses import dataclass
from typing import TypeAlias

from shared.instants import Micros
from shared.journey.evaluation import Holds
from shared.journey.matchers import MatchTest
from shared.journey.rules import TouchpointRule

Looks: TypeAlias = tuple[tuple[Holds, TouchpointRule], ...]
"""The rules to look at, in order, with what each still asks of the situation."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What live matches of certain signals, given by position, set off.

    ``simple`` signals need nothing but to be counted, ``rich`` ones have values to be read,
    ``undoable`` ones may be undone on arrival; ``undoing`` are those that a matched signal undoes.
    ``summed`` are all signals with sums over windows, if rules are to be looked at.
    ``points`` are score position, sum of points and half-life. ``restarts`` and ``enters`` are
    by slot; ``triggers`` says whether there are any.
    """

    live: tuple[int, ...]
    simple: tuple[int, ...]
    rich: tuple[int, ...]
    undoable: tuple[int, ...]
    undoing: tuple[int, ...]
    summed: tuple[int, ...]
    involved: bool
    points: tuple[tuple[int, float, Micros], ...]
    triggers: bool
    restarts: tuple[Looks, ...]
    enters: tuple[Looks, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Reaction:
    """What touchpoints of one shape match.

    ``plan`` is set if the shape alone decides; otherwise ``certain`` signals match and ``open``
    ones are asked. ``alive`` says whether it is a sign of life, ``asleep`` asks where it is open.
    """

    plan: Plan | None
    certain: tuple[int, ...]
    open: tuple[tuple[int, MatchTest], ...]
    alive: bool
    ignored: MatchTest | None
