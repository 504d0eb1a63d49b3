"""What a fold remembers of the matches of one signal.

No more is kept than some rule can still ask for: their number as an integer, the newest few, the
latest match of the newest few values, the numbers inside of a sum's window. So the state is
bounded by the model and not by the history, where the model allows.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from shared.instants import Instant
from shared.journey.needs import DistinctNeed, Needs, Seen, place_of
from shared.journey.sums import FINAL, RunningSum
from shared.journey.values import Path, identity_of
from shared.touchpoints import JsonObject, Place, Touchpoint


class LiveMatch(NamedTuple):
    """A match that counts, its value for undoing, and its values for counting different ones."""

    place: Place
    value: str | None
    others: tuple[str | None, ...]


class FrozenUndo(msgspec.Struct, frozen=True, array_like=True):
    """What may still be undone, and what waits to undo; see ``UndoableHistory``."""

    last: Place | None
    live: tuple[LiveMatch, ...]
    gone: tuple[tuple[str, Instant], ...]
    waiting: tuple[tuple[str, tuple[Instant, ...]], ...]


class FrozenHistory(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """A history as it stands in a snapshot."""

    count: int
    newest: tuple[Place, ...] = ()
    distinct: tuple[tuple[tuple[str, Place], ...], ...] = ()
    sums: tuple[tuple[str, tuple[tuple[Place, str], ...]], ...] = ()
    undo: FrozenUndo | None = None


class LatestByValue:
    """The latest match of each of the newest few values at one path."""

    __slots__ = ("latest", "need")

    def __init__(self, need: DistinctNeed) -> None:
        self.need = need
        self.latest: OrderedDict[str, Seen] = OrderedDict()

    def add(self, touchpoint: Touchpoint, traits: JsonObject) -> None:
        """Count a match; one without a value does not count."""
        value = identity_of(self.need.read(touchpoint, traits))
        if value is None:
            return
        self.latest[value] = touchpoint
        self.latest.move_to_end(value)
        if len(self.latest) > self.need.newest:
            self.latest.popitem(last=False)


class History:
    """The matches of a signal that nothing undoes."""

    __slots__ = ("count", "distinct", "needs", "newest", "sums")

    def __init__(self, needs: Needs) -> None:
        self.needs = needs
        self.count = 0
        self.newest: deque[Seen] = deque(maxlen=needs.newest)
        self.distinct: tuple[LatestByValue, ...] = ()
        self.sums: tuple[RunningSum, ...] = ()
        if not needs.plain:
            self._begin(needs)

    def _begin(self, needs: Needs) -> None:
        if needs.undo is None:
            self.distinct = tuple(LatestByValue(need) for need in needs.distinct)
        keep_for = FINAL if needs.undo is None else needs.undo.keep_for
        self.sums = tuple(RunningSum(need, keep_for) for need in needs.sums)

    @property
    def last(self) -> Seen | None:
        """The last match in canonical order, undone or not, if some rule asks for it."""
        return self.newest[-1] if self.newest else None

    def add(self, touchpoint: Touchpoint, traits: JsonObject) -> None:
        """Count a match that is later in canonical order than all before it."""
        self.count += 1
        self.newest.append(touchpoint)
        for distinct in self.distinct:
            distinct.add(touchpoint, traits)
        for running in self.sums:
            running.add(touchpoint, running.need.read(touchpoint, traits))

    def nth(self, number: int) -> Seen | None:
        """Return the live match that is *number*-th from the newest, 1 being the newest."""
        return self.newest[-number] if len(self.newest) >= number else None

    def newest_first(self) -> Iterator[Seen]:
        """Go through the live matches that are remembered."""
        return reversed(self.newest)

    def values_newest_first(self, path: Path) -> Iterator[Seen]:
        """Go through the latest live match of each value at *path*, newest first."""
        for distinct in self.distinct:
            if distinct.need.path == path:
                return reversed(distinct.latest.values())
        return iter(())

    def sum_of(self, path: Path, within: int | None) -> RunningSum:
        """Return the sum that a rule asks for.

        Raises:
            KeyError: No rule does.
        """
        for running in self.sums:
            if running.need.path == path and running.need.within == within:
                return running
        raise KeyError(path)

    def prune_sums(self, now: Instant) -> None:
        """Let the numbers that fell out of their window go, so that none is looked at twice."""
        for running in self.sums:
            running.prune(now)

    def freeze(self) -> FrozenHistory:
        """Return all that is needed to go on."""
        newest = tuple(map(place_of, self.newest))
        if not self.distinct and not self.sums:
            return FrozenHistory(self.count, newest)
        return FrozenHistory(
            self.count,
            newest,
            tuple(
                tuple((value, place_of(seen)) for value, seen in distinct.latest.items())
                for distinct in self.distinct
            ),
            tuple(running.freeze() for running in self.sums),
        )

    def thaw(self, frozen: FrozenHistory) -> None:
        """Take over what ``freeze`` returned, into a history that is still empty."""
        self.count = frozen.count
        self.newest.extend(frozen.newest)
        if self.distinct:
            for distinct, latest in zip(self.distinct, frozen.distinct, strict=True):
                distinct.latest.update(latest)
        if self.sums:
            for running, numbers in zip(self.sums, frozen.sums, strict=True):
                running.thaw(numbers)
