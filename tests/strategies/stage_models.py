"""Random stage models, as documents, that the loader accepts."""

from dataclasses import dataclass
from itertools import count
from typing import Final

from hypothesis import strategies as st

from tests.strategies.stage_conditions import (
    HALF_HOURS,
    Document,
    durations,
    matchers,
    standing,
    triggering,
)

SIGNALS: Final = ("looked", "bought", "returned", "label")
STAGES: Final = ("first", "second", "third", "fourth")
_TYPES: Final = ("a", "b", "c", "seen")
_ROLES: Final = ("aware", "consider", "decide", "use", "retain", "advocate", "lost")

# What is listed first is what a failure shrinks to, and what is drawn most often.
_how_many: Final = st.sampled_from([3, 4, 2, 1])
_a_few: Final = st.sampled_from([1, 2, 0])
_sames: Final = st.sampled_from(["properties.k", "properties.v", "traits.age"])
_points: Final = st.sampled_from([1, 2, 0.5, 3])
# What the fold does not look at; some of it goes into the version, some does not.
_trimmings: Final = st.fixed_dictionaries(
    {}, optional={"title": st.just("Drawn at random"), "entity": st.just("customer")}
)
_signs: Final = st.fixed_dictionaries(
    {},
    optional={"label": st.just("A label"), "goal": st.just("Buy"), "phase": st.just("sale")},
)
_any_points: Final = st.sampled_from([1, -1, 2, -2.5, 0.5])


@dataclass(frozen=True)
class _Names:
    """What the rules of one model may speak of."""

    signals: tuple[str, ...]
    scores: tuple[str, ...]
    stages: tuple[str, ...]


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Models of at most four signals and four stages, with everything the format has."""
    signals = _signals(draw)
    scores = _scores(draw, signals)
    stages = STAGES[: draw(_how_many)]
    names = _Names(tuple(signals), tuple(scores), stages)
    start = draw(st.sampled_from(stages))
    rules = _Rules(draw, names)
    downhill = draw(st.permutations(stages))
    document: Document = {
        "format": 1,
        "key": "drawn",
        "signals": signals,
        "activity": _activity(draw),
        "start": start,
        "stages": [
            rules.stage(key, downhill[: downhill.index(key)], may_end=key != start)
            for key in stages
        ],
    }
    document |= {"scores": scores} if scores else {}
    restarts = [rules.restart() for _ in range(draw(st.sampled_from([1, 0, 2])))]
    document |= {"cycle": {"restart": restarts}} if restarts else {}
    return {**draw(_trimmings), **document, "lineage": {"old": [start]}}


def _signals(draw: st.DrawFn) -> Document:
    keys = SIGNALS[: draw(_how_many)]
    plain = draw(st.permutations(_TYPES))
    signals: Document = {
        key: {"match": draw(matchers()) if draw(st.integers(0, 2)) == 0 else {"type": kind}}
        for key, kind in zip(keys, plain, strict=False)
    }
    if len(keys) > 1 and draw(st.integers(0, 2)):
        *undone, undoing = draw(st.permutations(keys))
        for key in undone[: draw(st.integers(1, 2))]:
            undo = {"signal": undoing, "same": draw(_sames)}
            if draw(st.booleans()):
                undo["within"] = draw(durations)
            signals[key]["undone_by"] = undo
    return signals


def _scores(draw: st.DrawFn, signals: Document) -> Document:
    scores: Document = {}
    for key in ["intent", "trust"][: draw(_a_few)]:
        first, *others = draw(st.permutations(list(signals)))[: draw(st.integers(1, 3))]
        points = {first: draw(_points)}
        for other in others:
            points[other] = draw(_points if "undone_by" in signals[other] else _any_points)
        scores[key] = {"half_life": draw(durations), "points": points}
    return scores


def _activity(draw: st.DrawFn) -> Document:
    shorter, longer = sorted(draw(st.permutations(list(HALF_HOURS)))[:2])
    activity = {"dormant_after": HALF_HOURS[shorter], "churned_after": HALF_HOURS[longer]}
    ignores = [{"type": ["seen"]}, {"type": ["seen"]}, None, draw(matchers())]
    ignore = draw(st.sampled_from(ignores))
    return {"ignore": ignore, **activity} if ignore else activity


class _Rules:
    """Draws the stages and rules of one model, every rule with a name of its own."""

    def __init__(self, draw: st.DrawFn, names: _Names) -> None:
        self._draw = draw
        self._stages = names.stages
        self._signals = st.sampled_from(names.signals)
        self._standing = standing(names.signals, names.scores, names.stages)
        self._triggering = triggering(names.signals, names.scores, names.stages)
        self._fresh = (f"rule_{number}" for number in count())

    def stage(self, key: str, below: list[str], *, may_end: bool) -> Document:
        """A stage whose leave rules lead to those *below* only, so that none lead in a circle."""
        draw = self._draw
        stage: Document = {"key": key, "role": draw(st.sampled_from(_ROLES)), **draw(_signs)}
        enter = [self._enter() for _ in range(draw(_a_few))]
        stage |= {"enter": enter} if enter else {}
        if may_end and draw(st.integers(0, 5)) == 0:
            return stage | {"terminal": True}
        leave = [self._leave(below) for _ in range(draw(_a_few) if below else 0)]
        return stage | ({"leave": leave} if leave else {})

    def _enter(self) -> Document:
        rule: Document = {"rule": next(self._fresh), "when": self._draw(self._triggering)}
        if self._draw(st.integers(0, 2)) == 0:
            rule["from"] = self._some(["none", *self._stages])
        return rule

    def restart(self) -> Document:
        """A rule that begins a cycle."""
        to = self._draw(st.sampled_from(self._stages))
        rule = {"rule": next(self._fresh), "when": self._draw(self._triggering), "to": to}
        if self._draw(st.booleans()):
            rule["from"] = self._some(list(self._stages))
        return rule

    def _leave(self, below: list[str]) -> Document:
        draw = self._draw
        to = draw(st.sampled_from(below))
        rule: Document = {"rule": next(self._fresh), "after": draw(durations), "to": to}
        base = draw(st.sampled_from(["without", "entered", "idle"]))
        if base == "without":
            rule["without"] = draw(st.lists(self._signals, min_size=1, max_size=2, unique=True))
        if base == "idle":
            rule["idle"] = True
        if draw(st.booleans()):
            rule["when"] = draw(self._standing)
        return rule

    def _some(self, keys: list[str]) -> list[str]:
        return self._draw(st.lists(st.sampled_from(keys), min_size=1, max_size=3, unique=True))
