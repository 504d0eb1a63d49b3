"""What the rules of a model can ask of a signal's matches."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from shared.instants import Micros
from shared.journey.matchers import ValueReader
from shared.journey.values import Path
from shared.touchpoints import Place, Touchpoint

Seen: TypeAlias = Touchpoint | Place
"""A touchpoint that was applied; after a snapshot only its place is left."""

SHOWN: Final = 5
"""How many matches stand as evidence for a sum or a score."""


@dataclass(frozen=True, slots=True)
class DistinctNeed:
    """Some rule counts different values at *path*; the *newest* so many of them decide."""

    path: Path
    read: ValueReader
    newest: int


@dataclass(frozen=True, slots=True)
class SumNeed:
    """Some rule sums the numbers at *path* over the matches *within*; None: over all."""

    path: Path
    read: ValueReader
    within: Micros | None


@dataclass(frozen=True, slots=True)
class UndoNeed:
    """Matches with the value that *read* gives may be undone while at most *within* old.

    ``keep_for`` is how long live matches are remembered beside the newest; None: for ever.
    """

    read: ValueReader
    within: Micros | None
    keep_for: Micros | None


@dataclass(frozen=True, slots=True)
class Needs:
    """All that the rules of a model can ask of one signal's matches."""

    newest: int
    distinct: tuple[DistinctNeed, ...] = ()
    sums: tuple[SumNeed, ...] = ()
    undo: UndoNeed | None = None

    @property
    def plain(self) -> bool:
        """Whether their number and the newest few are all."""
        return not self.distinct and not self.sums and self.undo is None


def place_of(seen: Seen) -> Place:
    """Return the place of an applied touchpoint."""
    if isinstance(seen, Place):
        return seen
    return Place(seen.at, seen.source, seen.event_id)
