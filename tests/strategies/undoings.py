"""Histories with one purchase and one refund that belong together, among other touchpoints."""

from dataclasses import dataclass
from typing import Final

import msgspec
from hypothesis import strategies as st

from shared.instants import Instant
from shared.touchpoints import Touchpoint
from tests.strategies.journeys import GRID, START, instants, touchpoints
from tests.strategies.stage_conditions import Document, bounds

WITHIN: Final = 8 * GRID
PROBE: Final = START + 60 * GRID
"""When the last touchpoint asks, by the only rule, what is counted and summed by then."""


@dataclass(frozen=True)
class Undoing:
    """A history, and a pair to be added to it that leaves counts, sums and scores alone."""

    document: Document
    others: list[Touchpoint]
    purchase: Touchpoint
    refund: Touchpoint


@st.composite
def undoings(draw: st.DrawFn) -> Undoing:
    """A pair in either order, at most the bound apart, with a value that nothing else has."""
    drawn = draw(st.lists(touchpoints(), max_size=10, unique_by=lambda one: one.place[1:]))
    types = st.sampled_from(["buy", "refund", "look"])
    others = [msgspec.structs.replace(one, type=draw(types)) for one in drawn]
    bought_at = draw(instants(last=30))
    refunded_at = bought_at + draw(st.sampled_from([0, 1, -1, GRID, -GRID, WITHIN, -WITHIN]))
    return Undoing(
        document=draw(_documents()),
        others=[*others, _touchpoint("probe", "probe", PROBE)],
        purchase=_touchpoint("buy", draw(st.sampled_from(["m", "o"])), bought_at),
        refund=_touchpoint("refund", "n", refunded_at),
    )


def _touchpoint(kind: str, event_id: str, at: Instant) -> Touchpoint:
    return Touchpoint(
        source="pair",
        event_id=event_id,
        at=at,
        channel="web",
        type=kind,
        properties={"k": "the pair's own", "v": 7},
        context={},
        traits={},
    )


def _documents() -> st.SearchStrategy[Document]:
    asked = bounds("at_least", ("bought",), ()) | bounds("at_most", ("bought",), ())
    return st.builds(_document, asked, st.booleans())


def _document(asked: Document, bounded: bool) -> Document:  # noqa: FBT001  drawn, never written
    undo = {"signal": "refunded", "same": "properties.k"}
    undo |= {"within": "PT4H"} if bounded else {}
    probed = {"rule": "probed", "when": {"all": [{"signal": "probe"}, asked]}}
    return {
        "format": 1,
        "key": "undoing",
        "signals": {
            "bought": {"match": {"type": "buy"}, "undone_by": undo},
            "refunded": {"match": {"type": "refund"}},
            "looked": {"match": {"type": "look"}},
            "probe": {"match": {"type": "probe"}},
        },
        "scores": {"heat": {"half_life": "PT90M", "points": {"bought": 3, "looked": 2}}},
        "activity": {"dormant_after": "P10D", "churned_after": "P20D"},
        "start": "low",
        "stages": [
            {"key": "low", "role": "aware"},
            {"key": "high", "role": "use", "enter": [probed]},
        ],
    }
