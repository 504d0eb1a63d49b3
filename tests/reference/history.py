"""A customer's touchpoints up to some point, and the questions one may ask of them.

Everything is worked out again from the list of touchpoints; nothing is carried along.
Touchpoints are named by their index in the list, which is in canonical order.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from shared.touchpoints import Touchpoint
from tests.reference.json_values import MISSING, Document, at_path, is_number, micros, passes, same


class History:
    """The touchpoints applied so far under a model whose defaults are filled in."""

    def __init__(self, model: Document, touchpoints: Sequence[Touchpoint]) -> None:
        self.model = model
        self.touchpoints = touchpoints
        indexes = range(len(touchpoints))
        self.traits = [self._traits_after(index) for index in indexes]
        self.matched = {
            signal: [index for index in indexes if self.matches(index, definition["match"])]
            for signal, definition in model["signals"].items()
        }
        self.undone = {signal: self._undone(signal) for signal in model["signals"]}

    def _traits_after(self, index: int) -> Document:
        traits: Document = {}
        for touchpoint in self.touchpoints[: index + 1]:
            traits.update(touchpoint.traits)
        return {key: value for key, value in traits.items() if value is not None}

    def latest_traits(self) -> Document:
        """Return the customer's traits after the last touchpoint."""
        return self.traits[-1] if self.traits else {}

    def value(self, index: int, path: str) -> object:
        """Return what touchpoint *index* has at *path*; traits are the customer's by then."""
        touchpoint = self.touchpoints[index]
        seen = {
            "properties": touchpoint.properties,
            "context": touchpoint.context,
            "traits": self.traits[index],
        }
        return at_path(seen, path)

    def matches(self, index: int, matcher: Document) -> bool:
        """Tell whether touchpoint *index* matches *matcher*."""
        return all(self._holds(index, key, wanted) for key, wanted in matcher.items())

    def _holds(self, index: int, key: str, wanted: Any) -> bool:  # noqa: ANN401  any JSON value
        match key:
            case "where":
                return all(passes(self.value(index, path), test) for path, test in wanted.items())
            case "any":
                return any(self.matches(index, matcher) for matcher in wanted)
            case "all":
                return all(self.matches(index, matcher) for matcher in wanted)
            case "not":
                return not self.matches(index, wanted)
            case _:
                accepted = wanted if isinstance(wanted, list) else [wanted]
                return getattr(self.touchpoints[index], key) in accepted

    def _undone(self, signal: str) -> dict[int, int]:
        """Map each undone match of *signal* to the touchpoint at whose place it was undone.

        A match undone on arrival is mapped to itself.
        """
        undoing = self.model["signals"][signal].get("undone_by")
        if undoing is None:
            return {}
        undone: dict[int, int] = {}
        waiting: list[int] = []
        for index in range(len(self.touchpoints)):
            if index in self.matched[signal]:
                waited = [waiter for waiter in waiting if self._reaches(waiter, index, undoing)]
                if waited:
                    waiting.remove(waited[0])
                    undone[index] = index
            if index in self.matched[undoing["signal"]]:
                earlier = [
                    match
                    for match in self.matched[signal]
                    if match < index and self._reaches(match, index, undoing)
                ]
                for match in earlier:
                    undone.setdefault(match, index)
                if not earlier:
                    waiting.append(index)
        return undone

    def _reaches(self, earlier: int, later: int, undoing: Document) -> bool:
        """Tell whether two touchpoints have one value and are near enough to undo and be undone."""
        value = self.value(earlier, undoing["same"])
        age = self.touchpoints[later].at - self.touchpoints[earlier].at
        near = "within" not in undoing or age <= micros(undoing["within"])
        return near and value is not MISSING and same(value, self.value(later, undoing["same"]))

    def arrived(self, signal: str) -> list[int]:
        """Return the matches of *signal* that were not undone on arrival."""
        return [index for index in self.matched[signal] if self.undone[signal].get(index) != index]

    def live(self, signal: str) -> list[int]:
        """Return the matches of *signal* that are not undone."""
        return [index for index in self.matched[signal] if index not in self.undone[signal]]

    def live_within(self, signal: str, within: str | None, t: int) -> list[int]:
        """Return the live matches of *signal* later than *within* before *t*; None is ever."""
        return [
            index
            for index in self.live(signal)
            if within is None or self.touchpoints[index].at > t - micros(within)
        ]

    def latest_of_each_value(self, indexes: Sequence[int], path: str) -> list[int]:
        """Return of *indexes* the last with each value at *path*, in order; none without one."""
        with_value = [index for index in indexes if self.value(index, path) is not MISSING]
        return [
            index
            for index in with_value
            if not any(
                later > index and same(self.value(later, path), self.value(index, path))
                for later in with_value
            )
        ]

    def with_number(self, indexes: Sequence[int], path: str) -> list[int]:
        """Return those of *indexes* with a number at *path*."""
        return [index for index in indexes if is_number(self.value(index, path))]

    def total(self, indexes: Sequence[int], path: str) -> Fraction:
        """Return the exact sum of the numbers at *path*, as written in shortest form."""
        numbers = [self.value(index, path) for index in self.with_number(indexes, path)]
        return sum((Fraction(repr(number)) for number in numbers), Fraction())

    def score(self, key: str, t: int) -> float:
        """Return score *key* at *t*, not rounded."""
        points: dict[str, float] = self.model["scores"][key]["points"]
        half_life = micros(self.model["scores"][key]["half_life"])
        value, changed_at = 0.0, t
        for index, touchpoint in enumerate(self.touchpoints):
            taken = [
                points[signal] * 2.0 ** (-(touchpoint.at - self.touchpoints[match].at) / half_life)
                for signal in points
                for match, undone_at in self.undone[signal].items()
                if undone_at == index and match != index
            ]
            added = [points[signal] for signal in points if index in self.arrived(signal)]
            if taken or added:
                value *= 2.0 ** (-(touchpoint.at - changed_at) / half_life) if value else 1.0
                value = max(0.0, value - sum(taken))
                value = max(0.0, value + sum(added))
                changed_at = touchpoint.at
        return value * 2.0 ** (-(t - changed_at) / half_life) if value else 0.0
