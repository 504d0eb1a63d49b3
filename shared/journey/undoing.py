"""The matches of a signal that later ones of another signal may undo.

Only the last ``within`` can be undone, so only that much is remembered by value.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from itertools import islice
from operator import attrgetter
from typing import Final

from shared.instants import EARLIEST, Instant
from shared.journey.histories import FrozenHistory, FrozenUndo, History, LiveMatch
from shared.journey.needs import Needs, UndoNeed
from shared.journey.values import Path, identity_of
from shared.touchpoints import JsonObject, Place, Touchpoint

_place: Final = attrgetter("place")


class UndoableHistory(History):
    """The matches of a signal with ``undone_by``.

    ``live`` holds, oldest first, every live match that may still be undone, and of the others the
    newest that rules ask for. ``gone`` says of values that are not live when they were last
    matched; ``waiting`` holds the times of the undoing touchpoints that found nothing to undo, by
    value. From both, the oldest are dropped in the order in which they were added.

    Most histories are taken up from a snapshot for a few touchpoints, none of which undoes
    anything. So ``live`` is kept as it is written, and an index by value is made for the first
    undo.
    """

    __slots__ = ("_by_value", "_last", "_undo", "gone", "live", "waiting")

    def __init__(self, needs: Needs, undo: UndoNeed) -> None:
        super().__init__(needs)
        self._undo = undo
        self._last: Place | None = None
        self._by_value: dict[str, deque[Place]] | None = None
        self.live: OrderedDict[Place, LiveMatch] = OrderedDict()
        self.gone: OrderedDict[str, Instant] = OrderedDict()
        self.waiting: OrderedDict[str, deque[Instant]] = OrderedDict()

    @property
    def last(self) -> Place | None:
        """The last match in canonical order, undone later or not."""
        return self._last

    def value_of(self, touchpoint: Touchpoint, traits: JsonObject) -> str | None:
        """Return what *touchpoint* has at the path that decides which matches it is about."""
        return identity_of(self._undo.read(touchpoint, traits))

    def claimed(self, value: str | None, at: Instant) -> bool:
        """Tell whether an earlier undoing touchpoint waited for *value*; it waits no more."""
        if value is None or value not in self.waiting:
            return False
        within = self._undo.within
        times = self.waiting[value]
        while times and within is not None and times[0] < at - within:
            times.popleft()
        waited = bool(times)
        if waited:
            times.popleft()
        if not times:
            del self.waiting[value]
        return waited

    def undo(self, value: str, at: Instant) -> list[Place]:
        """Take back the live matches of *value*; the touchpoint at *at* waits if none was known.

        Returns:
            The matches taken back, oldest first.
        """
        by_value = self._index()
        within = self._undo.within
        oldest = EARLIEST if within is None else at - within
        undone = [place for place in by_value.get(value, ()) if place.at >= oldest]
        if not undone and self.gone.get(value, oldest - 1) < oldest:
            self.waiting.setdefault(value, deque()).append(at)
            self.waiting.move_to_end(value)
            self._forget(at)
            return []
        if undone:
            del by_value[value]
            self._note_gone(value, undone[-1].at)
        for place in undone:
            self._take_back(place)
        return undone

    def _index(self) -> dict[str, deque[Place]]:
        if self._by_value is None:
            self._by_value = {}
            for place, match in self.live.items():
                if match.value is not None:
                    self._by_value.setdefault(match.value, deque()).append(place)
        return self._by_value

    def _note_gone(self, value: str, at: Instant) -> None:
        """Remember when a value was matched that has no live match of that time."""
        self.gone[value] = max(at, self.gone.get(value, at))
        self.gone.move_to_end(value)

    def _take_back(self, place: Place) -> None:
        del self.live[place]
        self.count -= 1
        for running in self.sums:
            running.take_back(place)

    def arrive(
        self, touchpoint: Touchpoint, traits: JsonObject, value: str | None, *, undone: bool
    ) -> None:
        """Count a match, or only remember its value if it is *undone* on arrival."""
        if not undone:
            self._put(touchpoint, traits, value)
        elif value is not None:
            self._note_gone(value, touchpoint.at)
        self._forget(touchpoint.at)

    def _put(self, touchpoint: Touchpoint, traits: JsonObject, value: str | None) -> None:
        place = self._last = touchpoint.place
        self.count += 1
        others = tuple([identity_of(need.read(touchpoint, traits)) for need in self.needs.distinct])
        self.live[place] = LiveMatch(place, value, others)
        if value is not None:
            self.gone.pop(value, None)
            if self._by_value is not None:
                self._by_value.setdefault(value, deque()).append(place)
        for running in self.sums:
            running.add(touchpoint, running.need.read(touchpoint, traits))

    def _forget(self, now: Instant) -> None:
        """Drop what nothing can ask for from *now* on."""
        if self._undo.within is not None:
            self._forget_values(now - self._undo.within)
        if self._undo.keep_for is not None:
            while self._spare_is_before(now - self._undo.keep_for):
                self._forget_match(self.live.popitem(last=False)[1])

    def _forget_values(self, limit: Instant) -> None:
        while self.gone and next(iter(self.gone.values())) < limit:
            self.gone.popitem(last=False)
        while self.waiting and next(iter(self.waiting.values()))[-1] < limit:
            self.waiting.popitem(last=False)

    def _forget_match(self, match: LiveMatch) -> None:
        by_value, value = self._by_value, match.value
        if by_value is None or value is None or value not in by_value:
            return
        if by_value[value][0] == match.place:
            by_value[value].popleft()
            if not by_value[value]:
                del by_value[value]

    def _spare_is_before(self, limit: Instant) -> bool:
        """Tell whether the oldest match can go: newer ones that are safe from undo suffice."""
        spare = next(islice(self.live, self.needs.newest, None), None)
        return spare is not None and spare.at < limit

    def nth(self, number: int) -> Place | None:
        """Return the live match that is *number*-th from the newest, 1 being the newest."""
        return next(islice(reversed(self.live), number - 1, None), None)

    def newest_first(self) -> Iterator[Place]:
        """Go through the live matches that are remembered."""
        return reversed(self.live)

    def values_newest_first(self, path: Path) -> Iterator[Place]:
        """Go through the latest live match of each value at *path*, newest first."""
        index = [need.path for need in self.needs.distinct].index(path)
        met: set[str] = set()
        for place, match in reversed(self.live.items()):
            value = match.others[index]
            if value is not None and value not in met:
                met.add(value)
                yield place

    def freeze(self) -> FrozenHistory:
        """Return all that is needed to go on."""
        undo = FrozenUndo(
            self._last,
            tuple(self.live.values()),
            tuple(self.gone.items()),
            tuple((value, tuple(times)) for value, times in self.waiting.items()),
        )
        sums = tuple(running.freeze() for running in self.sums)
        return FrozenHistory(self.count, sums=sums, undo=undo)

    def thaw(self, frozen: FrozenHistory) -> None:
        """Take over what ``freeze`` returned, into a history that is still empty."""
        super().thaw(frozen)
        if frozen.undo is None:
            return
        self._last = frozen.undo.last
        self.live.update(zip(map(_place, frozen.undo.live), frozen.undo.live, strict=True))
        self.gone.update(frozen.undo.gone)
        self.waiting.update((value, deque(times)) for value, times in frozen.undo.waiting)
