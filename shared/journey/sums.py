"""Exact sums over the matches of a signal."""

from collections import OrderedDict
from collections.abc import Iterator
from decimal import Context, Decimal, Inexact
from itertools import islice
from typing import Final

from shared.instants import Instant, Micros
from shared.journey.needs import SHOWN, Seen, SumNeed, place_of
from shared.journey.values import decimal_of, is_number
from shared.touchpoints import JsonValue, Place

FINAL: Final[Micros] = -1
"""How long a match may be undone that nothing undoes: not even at its own instant."""

_EXACT: Final = Context(prec=100_000, traps=[Inexact])


class RunningSum:
    """The sum of the numbers at one path, over a window or over all time.

    Inside of a window every number is remembered until it falls out. Over all time the total is,
    and the newest few matches, which stand as evidence; older ones only while an undo may still
    take them back. ``numbers`` holds what each remembered match adds, oldest first.
    """

    __slots__ = ("_keep_for", "need", "numbers", "total")

    def __init__(self, need: SumNeed, keep_for: Micros | None) -> None:
        self.need = need
        self.total = Decimal(0)
        self.numbers: OrderedDict[Place, Decimal] = OrderedDict()
        self._keep_for = keep_for

    def add(self, seen: Seen, value: JsonValue) -> None:
        """Count a match with *value* at the path; anything but a number adds nothing."""
        if is_number(value):
            number = self.numbers[place_of(seen)] = decimal_of(value)
            self.total = _EXACT.add(self.total, number)
        self.prune(seen.at)

    def take_back(self, place: Place) -> None:
        """Forget a match; one that fell out of the window counts no more anyway."""
        number = self.numbers.pop(place, None)
        if number is not None:
            self.total = _EXACT.subtract(self.total, number)

    def prune(self, now: Instant) -> None:
        """Forget what nothing can ask for from *now* on."""
        within = self.need.within
        if within is not None:
            while self.numbers and next(iter(self.numbers)).at <= now - within:
                self.total = _EXACT.subtract(self.total, self.numbers.popitem(last=False)[1])
        elif self._keep_for is not None:
            while self._spare_is_before(now - self._keep_for):
                self.numbers.popitem(last=False)

    def _spare_is_before(self, limit: Instant) -> bool:
        spare = next(islice(self.numbers, SHOWN, None), None)
        return spare is not None and spare.at < limit

    def at(self, at: Instant) -> Decimal:
        """Return the sum at *at*, which is not before the newest match."""
        within = self.need.within
        total = self.total
        if within is not None:
            for place, number in self.numbers.items():
                if place.at > at - within:
                    break
                total = _EXACT.subtract(total, number)
        return total

    def newest_first(self, at: Instant) -> Iterator[Place]:
        """Go through the remembered matches that count at *at*."""
        within = self.need.within
        for place in reversed(self.numbers):
            if within is not None and place.at <= at - within:
                return
            yield place

    def freeze(self) -> tuple[str, tuple[tuple[Place, str], ...]]:
        """Return the total and the remembered numbers, oldest first."""
        listed = tuple((place, str(number)) for place, number in self.numbers.items())
        return str(self.total), listed

    def thaw(self, frozen: tuple[str, tuple[tuple[Place, str], ...]]) -> None:
        """Take over what ``freeze`` returned."""
        self.total = Decimal(frozen[0])
        self.numbers.update((place, Decimal(number)) for place, number in frozen[1])
