"""Observing: what given histories show of a stage model, in counts; pure.

Nothing is guessed here. What is counted is what happened: which types came, what matched, which
rules moved customers, how far counts got, how long customers paused before they came back.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from shared.instants import DAY, EARLIEST, LATEST, Instant, rfc3339
from shared.journey.conditions import Count, leaves
from shared.journey.fold import Fold
from shared.journey.model import EnterRule, RestartRule, StageModel
from shared.journey.program import Program
from shared.touchpoints import Touchpoint

MOST_COUNTED: Final = 20
"""Matches of one count that are told apart; more are as many."""
MOST_TYPES: Final = 1_000
"""Types that are told apart; senders may make up any number."""
OTHERS: Final = "…"
"""Stands for the types that came after so many; it cannot be the name of one."""


class TypeSeen(msgspec.Struct):
    """How often a type came, on which channels, and how often it was known or a sign of life."""

    touchpoints: int = 0
    customers: int = 0
    matched: int = 0
    alive: int = 0
    channels: dict[str, int] = {}


class Seen(msgspec.Struct):
    """How often something happened, and to how many customers."""

    times: int = 0
    customers: int = 0


class CountSeen(msgspec.Struct, frozen=True):
    """Of a rule that counts matches: how many customers ever had at least 1, 2, … within it."""

    path: str
    rule: str
    signal: str
    within: str | None
    needed: int
    reached: tuple[int, ...]


class Observations(msgspec.Struct):
    """What was seen; signals by key, rules by name.

    Times are RFC 3339. ``pauses`` are those of a day or more that ended with a sign of life, by
    whole days.
    """

    customers: int = 0
    touchpoints: int = 0
    first_at: str | None = None
    last_at: str | None = None
    types: dict[str, TypeSeen] = {}
    signals: dict[str, Seen] = {}
    rules: dict[str, Seen] = {}
    counts: list[CountSeen] = []
    pauses: dict[int, int] = {}


@dataclass(frozen=True, slots=True)
class _Counted:
    """A count of a rule; ``signal`` is the position of its signal."""

    path: str
    rule: str
    signal: int
    leaf: Count


@dataclass(slots=True)
class _Customer:
    """What is noted of the customer at hand."""

    fold: Fold
    types: set[str] = field(default_factory=set)
    signals: set[int] = field(default_factory=set)
    newest: dict[int, deque[Instant]] = field(default_factory=dict)
    reached: dict[int, int] = field(default_factory=dict)
    last_alive: Instant | None = None


class Observer:
    """Watches customers, one after the other, each through the whole history.

    Args:
        program: The compiled model.
        as_of: Up to when touchpoints count, and time alone may still move customers.
    """

    def __init__(self, program: Program, as_of: Instant) -> None:
        self._program = program
        self._as_of = as_of
        self._counts = tuple(_counts(program.model, program))
        self._reached = [[0] * MOST_COUNTED for _ in self._counts]
        self._customer = _Customer(Fold(program))
        signals = {signal.key: Seen() for signal in program.model.signals}
        rules = {rule.name: Seen() for _, rule in program.model.rules()}
        self._first, self._last = LATEST, EARLIEST
        self._seen = Observations(types={}, signals=signals, rules=rules, pauses={})

    def take(self, touchpoints: Iterable[Touchpoint]) -> None:
        """Watch the next touchpoints of the present customer, in canonical order."""
        for touchpoint in touchpoints:
            if touchpoint.at <= self._as_of:
                self._watch(touchpoint)

    def end_customer(self) -> None:
        """Let the rest of the time pass; what comes next is of somebody else."""
        customer, seen = self._customer, self._seen
        customer.fold.advance(self._as_of)
        moves = Counter(move.rule for move in customer.fold.moves if move.axis == "stage")
        for rule, times in moves.items():
            if rule in seen.rules:
                seen.rules[rule].times += times
                seen.rules[rule].customers += 1
        for type_ in customer.types:
            seen.types[type_].customers += 1
        for index in customer.signals:
            seen.signals[self._program.model.signals[index].key].customers += 1
        for index, reached in customer.reached.items():
            for number in range(reached):
                self._reached[index][number] += 1
        seen.customers += bool(customer.types)
        self._customer = _Customer(Fold(self._program))

    def end(self) -> Observations:
        """Return what was seen of all customers."""
        if self._seen.touchpoints:
            self._seen.first_at, self._seen.last_at = rfc3339(self._first), rfc3339(self._last)
        self._seen.counts = [
            CountSeen(
                path=counted.path,
                rule=counted.rule,
                signal=counted.leaf.signal,
                within=None if counted.leaf.within is None else counted.leaf.within.text,
                needed=int(counted.leaf.bound.number),
                reached=tuple(reached),
            )
            for counted, reached in zip(self._counts, self._reached, strict=True)
        ]
        return self._seen

    def _watch(self, touchpoint: Touchpoint) -> None:
        seen, customer = self._seen, self._customer
        customer.fold.apply(touchpoint)
        plan, alive = self._program.meaning(touchpoint, customer.fold.situation.traits)
        seen.touchpoints += 1
        self._first = min(self._first, touchpoint.at)
        self._last = max(self._last, touchpoint.at)
        type_ = self._type(touchpoint)
        type_.touchpoints += 1
        type_.matched += bool(plan.live)
        type_.alive += alive
        channel = str(touchpoint.channel)
        type_.channels[channel] = type_.channels.get(channel, 0) + 1
        for index in plan.live:
            seen.signals[self._program.model.signals[index].key].times += 1
            customer.signals.add(index)
        self._count(plan.live, touchpoint.at)
        if alive:
            self._pause(touchpoint.at)

    def _type(self, touchpoint: Touchpoint) -> TypeSeen:
        types, name = self._seen.types, touchpoint.type
        if name not in types:
            name = name if len(types) < MOST_TYPES else OTHERS
            types.setdefault(name, TypeSeen(channels={}))
        self._customer.types.add(name)
        return types[name]

    def _count(self, live: tuple[int, ...], at: Instant) -> None:
        customer = self._customer
        for index, counted in enumerate(self._counts):
            if counted.signal in live:
                newest = customer.newest.setdefault(index, deque(maxlen=MOST_COUNTED))
                newest.append(at)
                within = counted.leaf.within
                number = len(newest)
                if within is not None:
                    number = sum(time > at - within.micros for time in newest)
                customer.reached[index] = max(number, customer.reached.get(index, 0))

    def _pause(self, at: Instant) -> None:
        before, self._customer.last_alive = self._customer.last_alive, at
        if before is not None and (days := (at - before) // DAY):
            self._seen.pauses[days] = self._seen.pauses.get(days, 0) + 1


def _counts(model: StageModel, program: Program) -> Iterator[_Counted]:
    """Find the plain counts that let customers in; those of sums and values are another matter."""
    for path, rule in model.rules():
        if isinstance(rule, EnterRule | RestartRule):
            for leaf in leaves(rule.when, under_not=False):
                if isinstance(leaf, Count) and _is_plain(leaf):
                    position = program.positions.signals[leaf.signal]
                    yield _Counted(path, rule.name, position, leaf)


def _is_plain(leaf: Count) -> bool:
    return leaf.bound.kind == "at_least" and leaf.distinct is None
