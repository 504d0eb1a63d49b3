"""Random stage models the loader accepts, and histories that hit the edges of their windows.

All durations are whole half hours and all times lie on a grid of half hours, a microsecond before
or after it: so a drawn touchpoint stands at the very edge of a window or on a deadline often.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st

from shared.instants import MINUTE, Instant
from shared.touchpoints import JsonObject, JsonValue, Touchpoint
from tests.strategies.stage_conditions import HALF_HOURS, Document
from tests.strategies.stage_models import documents

START: Final[Instant] = 1_767_607_200_000_000
"""2026-01-05T10:00:00Z, where drawn histories begin."""

GRID: Final = 30 * MINUTE

_LATEST_HALF_HOUR: Final = 4 * max(HALF_HOURS)
_TYPES: Final = ("a", "b", "c", "seen", "odd")
_CHANNELS: Final = ("web", "in_store", "email")
_SOURCES: Final = ("a", "B", "é")
_EVENT_IDS: Final = (*map(str, range(1, 13)), "é", "\uff5e", "\U0001f600")


@dataclass(frozen=True)
class Case:
    """A model, a history under it, and an instant to read the journey at."""

    document: Document
    touchpoints: list[Touchpoint]
    as_of: Instant


def instants(*, first: int = 0, last: int = _LATEST_HALF_HOUR) -> st.SearchStrategy[Instant]:
    """Instants on the grid or a microsecond beside it, *first* to *last* half hours from START."""
    steps = st.integers(first, last)
    return st.builds(
        lambda step, beside: START + step * GRID + beside, steps, st.sampled_from((0, 0, -1, 1))
    )


def _values() -> st.SearchStrategy[JsonValue]:
    return st.sampled_from(
        [1, 1.0, 2, 0.1, 0.2, -1, 1e16, "1", "x", "", True, False, None, [1], [1.0], {"v": 1}]
    )


def _properties() -> st.SearchStrategy[JsonObject]:
    few = st.sampled_from([1, 1, 1.0, "x", None])
    optional = {"v": _values(), "p": st.fixed_dictionaries({"q": _values()})}
    return st.fixed_dictionaries({"k": few}, optional=optional)


def _traits() -> st.SearchStrategy[JsonObject]:
    some: st.SearchStrategy[JsonObject] = st.fixed_dictionaries(
        {},
        optional={
            "plan": st.sampled_from(["pro", "free", None]),
            "age": st.sampled_from([1, 2.5, "2", None]),
            "p": st.sampled_from([{"q": 1}, {"q": None}, None]),
        },
    )
    none: JsonObject = {}
    return st.just(none) | some


def touchpoints(*, at: st.SearchStrategy[Instant] | None = None) -> st.SearchStrategy[Touchpoint]:
    """Touchpoints of few types, channels and values, so that much of a model matches them."""
    return st.builds(
        Touchpoint,
        source=st.sampled_from(_SOURCES),
        event_id=st.sampled_from(_EVENT_IDS),
        at=at or instants(last=_LATEST_HALF_HOUR // 3),
        channel=st.sampled_from(_CHANNELS),
        type=st.sampled_from(_TYPES),
        properties=_properties(),
        context=st.sampled_from([{}, {"k": 1}, {"k": "x"}]),
        traits=_traits(),
    )


def histories(*, min_size: int = 0, max_size: int = 14) -> st.SearchStrategy[list[Touchpoint]]:
    """Touchpoints of one customer in any order, each identity once."""
    return st.integers(min_size, max_size).flatmap(
        lambda size: st.lists(
            touchpoints(), min_size=size, max_size=size, unique_by=lambda one: one.place[1:]
        )
    )


@st.composite
def cases(draw: st.DrawFn, *, min_size: int = 3, max_size: int = 14) -> Case:
    """A model, a history of *min_size* to *max_size* touchpoints, and an ``as_of`` near it."""
    # What is drawn first varies most; the size of histories matters more than that of models.
    history = draw(histories(min_size=min_size, max_size=max_size))
    as_of = draw(instants(first=_LATEST_HALF_HOUR // 4))
    return Case(draw(documents()), history, as_of)


def arrivals(
    history: Sequence[Touchpoint],
) -> st.SearchStrategy[list[Touchpoint]]:
    """The touchpoints of *history* in any order, some of them more than once."""
    if not history:
        return st.just([])
    again = st.lists(st.sampled_from(history), max_size=4)
    return again.flatmap(lambda extra: st.permutations([*history, *extra]))
