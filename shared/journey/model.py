"""Stage models as data: what a document says, checked and with its defaults filled in.

Only ``shared.journey.loading`` builds these; whoever holds one may rely on every name in it being
known and every duration being in range.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from shared.instants import Instant
from shared.journey.conditions import Condition
from shared.journey.durations import Duration
from shared.journey.matchers import Matcher
from shared.journey.values import Path
from shared.touchpoints import JsonObject, Touchpoint

Role: TypeAlias = Literal["aware", "consider", "decide", "use", "retain", "advocate", "lost"]

ROLES: Final[tuple[Role, ...]] = (
    "aware",
    "consider",
    "decide",
    "use",
    "retain",
    "advocate",
    "lost",
)

NONE: Final = "none"
"""In a ``from``: the customer has no stage yet. No stage may have this key."""

MOST_STAGES: Final = 40


@dataclass(frozen=True, slots=True)
class Undo:
    """A later match of *signal* with the same value at *same* takes a match back.

    ``within`` bounds how far apart the two may be; None: any distance.
    """

    signal: str
    same: Path
    within: Duration | None


@dataclass(frozen=True, slots=True)
class Signal:
    """A named set of touchpoints."""

    key: str
    match: Matcher
    undone_by: Undo | None


@dataclass(frozen=True, slots=True)
class Score:
    """A sum of points per matched signal that halves every ``half_life``."""

    key: str
    half_life: Duration
    points: Mapping[str, float]

    @property
    def raising(self) -> frozenset[str]:
        """The signals with positive points."""
        return frozenset(signal for signal, points in self.points.items() if points > 0)


@dataclass(frozen=True, slots=True)
class Activity:
    """When a customer counts as dormant and as churned; ``ignore`` matches no sign of life."""

    ignore: Matcher | None
    dormant_after: Duration
    churned_after: Duration


@dataclass(frozen=True, slots=True)
class EnterRule:
    """Moves a customer into the stage that has it.

    ``from_`` is written out, defaults included: stage keys and ``none``.
    """

    name: str
    when: Condition
    from_: frozenset[str]


@dataclass(frozen=True, slots=True)
class LeaveRule:
    """Moves a customer out of the stage that has it, ``after`` some time.

    The time counts from entering; with ``without`` from the last match of these signals, with
    ``idle`` from the last sign of life, where those are later.
    """

    name: str
    after: Duration
    to: str
    without: tuple[str, ...]
    idle: bool
    when: Condition | None


@dataclass(frozen=True, slots=True)
class RestartRule:
    """Begins a new cycle in stage ``to``; ``from_`` is written out."""

    name: str
    when: Condition
    to: str
    from_: frozenset[str]


Rule: TypeAlias = EnterRule | LeaveRule | RestartRule


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage; its ``rank`` is its place in the document, 0 first."""

    key: str
    label: str
    role: Role
    phase: str | None
    rank: int
    goal: str | None
    terminal: bool
    enter: tuple[EnterRule, ...]
    leave: tuple[LeaveRule, ...]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What an example says of the journey at an instant; only ``asked`` members count."""

    at: Instant
    asked: frozenset[str]
    stage: str | None
    activity: str | None
    cycle: int


@dataclass(frozen=True, slots=True)
class Example:
    """Touchpoints and the journey they should give."""

    name: str
    given: tuple[Touchpoint, ...]
    expect: tuple[Expectation, ...]


@dataclass(frozen=True, slots=True)
class StageModel:
    """A loaded model.

    ``version`` is the sha256 (hex) over the canonical JSON (RFC 8785) of ``document`` without
    labels, titles, goals and examples. ``document`` has the defaults filled in and loads to the
    same model again. ``stages`` are in order of rank, ``signals`` and ``scores`` in order of
    their keys, so that models of one version agree on every position.
    """

    key: str
    title: str
    version: str
    stages: tuple[Stage, ...]
    signals: tuple[Signal, ...]
    scores: tuple[Score, ...]
    activity: Activity
    start: str
    restarts: tuple[RestartRule, ...]
    lineage: Mapping[str, tuple[str, ...]]
    examples: tuple[Example, ...]
    document: JsonObject

    def rules(self) -> Iterator[tuple[str, Rule]]:
        """Go through all rules, each with its path in the document."""
        for stage in self.stages:
            for index, entering in enumerate(stage.enter):
                yield f"stages[{stage.rank}].enter[{index}]", entering
            for index, leaving in enumerate(stage.leave):
                yield f"stages[{stage.rank}].leave[{index}]", leaving
        for index, restart in enumerate(self.restarts):
            yield f"cycle.restart[{index}]", restart

    def stage(self, key: str) -> Stage:
        """Return the stage with that key.

        Raises:
            KeyError: there is none.
        """
        for stage in self.stages:
            if stage.key == key:
                return stage
        raise KeyError(key)
