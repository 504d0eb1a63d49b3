"""Whether a run kept every promise; pure, so that it can be shown what breaks each of them.

The invariants have the numbers of the plan they come from; the seventh was about tenants, of which
there are none.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tests.fixtures.load import LedgerRow
from tests.torture.history import Claimed, Fail, History, Info, Ok, Read, outcomes

MOST_RECOVERY_SECONDS: Final = 30.0
MOST_GROWTH: Final = 1.1
FEW: Final = 10
"""A difference this small says nothing about a resource: pools fill when they are needed."""
EXAMPLES: Final = 5

THROTTLED: Final = frozenset({429, 503})


class Told(NamedTuple):
    """A touchpoint as a timeline tells it, or as it was sent."""

    type: str
    occurred_at: str
    properties: str


class Move(NamedTuple):
    """A transition that is believed."""

    axis: str
    before: str | None
    after: str
    at: str


class Violation(NamedTuple):
    """A promise that was broken."""

    invariant: str
    what: str


@dataclass(frozen=True, slots=True)
class Seen:
    """The system after the last fault, when nothing is pending any more.

    Attributes:
        sent: What every event id was sent with.
        told: What all timelines tell, by event id, once for each time.
        moves: The transitions of every customer, oldest first.
        ledger: Of each partition.
        quarantined: Rows in the quarantine.
        verified: The touchpoints that ``verify`` folded.
        differences: What ``verify`` found wrong.
        recovery_seconds: From the end of each phase's faults to nothing pending.
        resources: What processes hold, after the first phase and at the end.
        gave_up: Processes whose watchdog ended them because they did not move.
    """

    sent: Mapping[str, Told]
    told: Mapping[str, Sequence[Told]]
    moves: Mapping[str, Sequence[Move]]
    ledger: Sequence[LedgerRow]
    quarantined: int
    verified: int
    differences: int
    recovery_seconds: Mapping[str, float] = field(default_factory=dict)
    resources: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    gave_up: Sequence[str] = ()


def check(history: History, seen: Seen, *, judges_time: bool = True) -> list[Violation]:
    """Return every broken promise, at most a few examples of each kind.

    Without *judges_time* it is left out how long recovery took.
    """
    return [
        Violation(invariant, what)
        for invariant, check_one in INVARIANTS.items()
        if judges_time or check_one is not unrecovered
        for _, what in zip(range(EXAMPLES), check_one(history, seen), strict=False)
    ]


def lost(history: History, seen: Seen) -> Iterator[str]:
    """I1: what was promised is told."""
    for event_id in sorted(_ended(history, Ok)):
        if event_id not in seen.told:
            yield f"{event_id} was promised and is in no timeline"


def invented(history: History, seen: Seen) -> Iterator[str]:
    """I2: nothing is told that was not sent, or that was refused for good and never promised."""
    invoked = {one for batch, _ in outcomes(history) for one in batch.event_ids}
    uncertain = _ended(history, Ok) | _ended(history, Info)
    for event_id in seen.told:
        if event_id not in invoked:
            yield f"{event_id} is told and was never sent"
        elif event_id not in uncertain:
            yield f"{event_id} is told although its sender was told that it is refused"


def doubled(_: History, seen: Seen) -> Iterator[str]:
    """I3: nothing is told twice."""
    for event_id, told in seen.told.items():
        if len(told) > 1:
            yield f"{event_id} is told {len(told)} times"


def untrue(_: History, seen: Seen) -> Iterator[str]:
    """I4: what is told is what was sent, and what is cached is what would be computed."""
    if seen.differences:
        yield f"verify found {seen.differences} differences"
    for event_id, told in seen.told.items():
        if event_id in seen.sent and told[0] != seen.sent[event_id]:
            yield f"{event_id} was sent as {seen.sent[event_id]} and is told as {told[0]}"


def torn(_: History, seen: Seen) -> Iterator[str]:
    """I5: on each axis a customer's moves are a chain in time."""
    for customer, moves in seen.moves.items():
        last: dict[str, Move] = {}
        for move in moves:
            before = last.get(move.axis)
            if move.before != (before.after if before else None):
                yield f"{customer}: {move} does not follow {before}"
            elif before is not None and move.at < before.at:
                yield f"{customer}: {move} is earlier than {before}"
            last[move.axis] = move


def forgotten(history: History, _: Seen) -> Iterator[str]:
    """I6: what a timeline has told once, it tells ever after."""
    known: dict[str, set[str]] = {}
    for entry in history:
        if isinstance(entry, Read):
            now = set(entry.event_ids)
            if gone := known.get(entry.customer, set()) - now:
                yield f"{entry.customer} no longer tells {sorted(gone)[:EXAMPLES]}"
            known[entry.customer] = now


def unaccounted(history: History, seen: Seen) -> Iterator[str]:
    """I8: every record is accounted for, and what is counted is there."""
    total = LedgerRow(*map(sum, zip(*seen.ledger, strict=True)))
    for row in seen.ledger:
        if row.log_end != sum(row[1:]) or min(row) < 0:
            yield f"{row} does not add up"
    if total.pending:
        yield f"{total.pending} records are pending"
    stored = sum(map(len, seen.told.values()))
    if not total.stored == stored == seen.verified:
        yield f"{total.stored} counted, {stored} told, {seen.verified} verified"
    # A refused record that came to the log twice is counted twice and kept once.
    if total.quarantined < seen.quarantined:
        yield f"{total.quarantined} counted as quarantined, {seen.quarantined} in the quarantine"
    promised = sum(end.rejected for _, end in outcomes(history) if isinstance(end, Ok))
    posted = sum(batch.hostile for batch, _ in outcomes(history))
    if not promised <= seen.quarantined <= posted:
        yield f"{promised} to {posted} rejected items were sent, {seen.quarantined} kept"


def unfenced(history: History, _: Seen) -> Iterator[str]:
    """I9: claims only move forward, never past the end, and have one owner an epoch."""
    last: dict[int, Claimed] = {}
    for entry in history:
        if not isinstance(entry, Claimed):
            continue
        if entry.next_offset > entry.log_end:
            yield f"{entry} is past the end"
        if before := last.get(entry.partition):
            if entry.next_offset < before.next_offset:
                yield f"{entry} went back from {before.next_offset}"
            if entry.epoch < before.epoch:
                yield f"{entry} fell from epoch {before.epoch}"
        last[entry.partition] = entry


def unhelpful(history: History, _: Seen) -> Iterator[str]:
    """I10: whoever is sent away is told when to come again."""
    for batch, end in outcomes(history):
        if isinstance(end, Info) and end.status in THROTTLED and end.retry_after is None:
            yield f"operation {batch.op}: {end.status} without Retry-After"
        if isinstance(end, Info) and end.status is not None and end.status not in THROTTLED:
            yield f"operation {batch.op} was answered {end.status}"


def leaked(_: History, seen: Seen) -> Iterator[str]:
    """I11: what processes hold does not grow."""
    for name, (before, after) in seen.resources.items():
        if after > before * MOST_GROWTH and after - before > FEW:
            yield f"{name} grew from {before} to {after}"


def unrecovered(_: History, seen: Seen) -> Iterator[str]:
    """I12: soon after the last fault nothing is pending."""
    for phase, seconds in seen.recovery_seconds.items():
        if seconds > MOST_RECOVERY_SECONDS:
            yield f"{seconds:.0f} s after the faults of phase {phase}"


def silent(_: History, seen: Seen) -> Iterator[str]:
    """I13: nobody falls silent until a watchdog notices."""
    yield from (f"{name} was ended by its watchdog" for name in seen.gave_up)


INVARIANTS: Final[Mapping[str, Callable[[History, Seen], Iterator[str]]]] = {
    "I1 nothing lost": lost,
    "I2 nothing invented": invented,
    "I3 nothing doubled": doubled,
    "I4 journeys true": untrue,
    "I5 moves in a chain": torn,
    "I6 reads never forget": forgotten,
    "I8 all accounted for": unaccounted,
    "I9 claims fenced": unfenced,
    "I10 refusals say when": unhelpful,
    "I11 nothing leaks": leaked,
    "I12 recovery": unrecovered,
    "I13 nobody silent": silent,
}


def tally(history: History) -> Counter[str]:
    """Return how many touchpoints were sent, promised, and left unknown at least once."""
    counts: Counter[str] = Counter()
    events: defaultdict[str, set[str]] = defaultdict(set)
    for batch, end in outcomes(history):
        counts[f"batches {_NAMES[type(end)]}"] += 1
        events["sent"].update(batch.event_ids)
        events[_NAMES[type(end)]].update(batch.event_ids)
        if isinstance(end, Ok) and end.spooled:
            events["promised by a spool"].update(batch.event_ids)
        if isinstance(end, Info) and end.status in THROTTLED:
            counts["batches sent away"] += 1
    counts.update({name: len(ids) for name, ids in events.items()})
    return counts


_NAMES: Final = {Ok: "promised", Fail: "refused", Info: "unknown"}


def _ended(history: History, kind: type[Ok | Info]) -> set[str]:
    found: set[str] = set()
    for batch, end in outcomes(history):
        if isinstance(end, kind):
            found.update(batch.event_ids)
    return found
