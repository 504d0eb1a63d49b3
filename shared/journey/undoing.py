"""The matches of a signal that later ones of another signal may undo.

Only the last ``within`` can be undone, so only that much is remembered by value.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from shared.instants import Instant
from shared.journey.histories import FrozenHistory, FrozenUndo, History
from shared.journey.moves import Identity
from shared.journey.needs import Needs, Seen, UndoNeed, place_of
from shared.journey.values import Path, identity_of
from shared.touchpoints import JsonObject, Touchpoint


class LiveMatch(NamedTuple):
    """A match that counts, its value for undoing, and its values for counting different ones."""

    seen: Seen
    value: str | None
    others: tuple[str | None, ...]


class UndoableHistory(History):
    """The matches of a signal with ``undone_by``.

    ``live`` holds, oldest first, every live match that may still be undone, and of the others the
    newest that rules ask for. ``known`` says when a value was last matched, undone or not;
    ``waiting`` holds the times of the undoing touchpoints that found nothing to undo, by value.
    Both are ordered by their newest time, so that the oldest can be dropped.
    """

    __slots__ = ("_by_value", "_last", "_undo", "known", "live", "waiting")

    def __init__(self, needs: Needs, undo: UndoNeed) -> None:
        super().__init__(needs)
        self._undo = undo
        self._last: Seen | None = None
        self._by_value: dict[str, deque[Identity]] = {}
        self.live: OrderedDict[Identity, LiveMatch] = OrderedDict()
        self.known: OrderedDict[str, Instant] = OrderedDict()
        self.waiting: OrderedDict[str, deque[Instant]] = OrderedDict()

    @property
    def last(self) -> Seen | None:
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

    def undo(self, value: str, at: Instant) -> list[Seen]:
        """Take back the live matches of *value*; the touchpoint at *at* waits if none was known.

        Returns:
            The matches taken back, oldest first.
        """
        within = self._undo.within
        known_at = self.known.get(value)
        if known_at is None or (within is not None and known_at < at - within):
            self.waiting.setdefault(value, deque()).append(at)
            self.waiting.move_to_end(value)
            self._forget(at)
            return []
        undone = []
        for identity in self._by_value.pop(value, ()):
            match = self.live[identity]
            if within is None or match.seen.at >= at - within:
                undone.append(match.seen)
                self._take_back(identity)
        return undone

    def _take_back(self, identity: Identity) -> None:
        del self.live[identity]
        self.count -= 1
        for running in self.sums:
            running.take_back(identity)

    def arrive(
        self, touchpoint: Touchpoint, traits: JsonObject, value: str | None, *, undone: bool
    ) -> None:
        """Count a match, or only remember its value if it is *undone* on arrival."""
        if value is not None:
            self.known[value] = touchpoint.at
            self.known.move_to_end(value)
        if not undone:
            self._last = touchpoint
            self.count += 1
            others = tuple(
                identity_of(need.read(touchpoint, traits)) for need in self.needs.distinct
            )
            self._put(LiveMatch(touchpoint, value, others))
            for running in self.sums:
                running.add(touchpoint, running.need.read(touchpoint, traits))
        self._forget(touchpoint.at)

    def _put(self, match: LiveMatch) -> None:
        identity = Identity(match.seen.source, match.seen.event_id)
        self.live[identity] = match
        if match.value is not None:
            self._by_value.setdefault(match.value, deque()).append(identity)

    def _forget(self, now: Instant) -> None:
        """Drop what nothing can ask for from *now* on."""
        if self._undo.within is not None:
            self._forget_values(now - self._undo.within)
        if self._undo.keep_for is not None:
            while self._spare_is_before(now - self._undo.keep_for):
                identity, match = self.live.popitem(last=False)
                self._forget_identity(identity, match.value)

    def _forget_values(self, limit: Instant) -> None:
        while self.known and next(iter(self.known.values())) < limit:
            self.known.popitem(last=False)
        while self.waiting:
            times = next(iter(self.waiting.values()))
            if times[-1] >= limit:
                break
            self.waiting.popitem(last=False)

    def _forget_identity(self, identity: Identity, value: str | None) -> None:
        identities = self._by_value.get(value) if value is not None else None
        if identities and value is not None and identities[0] == identity:
            identities.popleft()
            if not identities:
                del self._by_value[value]

    def _spare_is_before(self, limit: Instant) -> bool:
        """Tell whether the oldest match can go: newer ones that are safe from undo suffice."""
        spare = next(islice(self.live.values(), self.needs.newest, None), None)
        return spare is not None and spare.seen.at < limit

    def nth(self, number: int) -> Seen | None:
        """Return the live match that is *number*-th from the newest, 1 being the newest."""
        match = next(islice(reversed(self.live.values()), number - 1, None), None)
        return None if match is None else match.seen

    def newest_first(self) -> Iterator[Seen]:
        """Go through the live matches that are remembered."""
        return (match.seen for match in reversed(self.live.values()))

    def values_newest_first(self, path: Path) -> Iterator[Seen]:
        """Go through the latest live match of each value at *path*, newest first."""
        index = [need.path for need in self.needs.distinct].index(path)
        met: set[str] = set()
        for match in reversed(self.live.values()):
            value = match.others[index]
            if value is not None and value not in met:
                met.add(value)
                yield match.seen

    def freeze(self) -> FrozenHistory:
        """Return all that is needed to go on."""
        undo = FrozenUndo(
            None if self._last is None else place_of(self._last),
            tuple((place_of(seen), value, others) for seen, value, others in self.live.values()),
            tuple((value, at) for value, at in self.known.items() if not self._is_live(value, at)),
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
        for place, value, others in frozen.undo.live:
            self._put(LiveMatch(place, value, others))
        self._know_again(dict(frozen.undo.known))
        self.waiting.update((value, deque(times)) for value, times in frozen.undo.waiting)

    def _is_live(self, value: str, at: Instant) -> bool:
        """Tell whether the newest live match of *value* is from *at*; it need not be said twice."""
        identities = self._by_value.get(value)
        return identities is not None and self.live[identities[-1]].seen.at == at

    def _know_again(self, said: dict[str, Instant]) -> None:
        live = {match.value: match.seen.at for match in self.live.values()}
        known = {value: at for value, at in live.items() if value is not None} | said
        self.known.update(sorted(known.items(), key=lambda pair: pair[1]))
