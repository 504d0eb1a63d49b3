"""Histories with one purchase and one refund that belong together, among other touchpoints."""

from dataclasses import dataclass
from typing import Final

import msgspec
from hypothesis import strategies as st

from shared.instants import Instant
from shared.touchpoints import Touchpoint
from tests.strategies.journeys import GRID, START, Case, instants, touchpoints
from tests.strategies.stage_conditions import Document, bounds, durations

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


@st.composite
def crowded(draw: st.DrawFn) -> Case:
    """Purchases and refunds of two orders, close together, some of them both at once."""
    size = draw(st.integers(2, 9))
    kinds = [draw(st.sampled_from(["buy", "refund", "both", "look"])) for _ in range(size)]
    drawn = [
        msgspec.structs.replace(
            _touchpoint(kind, str(number), draw(instants(last=6))),
            properties={"k": draw(st.sampled_from([1, 1.0, 2]))},
        )
        for number, kind in enumerate(kinds)
    ]
    document = draw(_documents())
    keen = {"key": "keen", "role": "decide", "enter": [{"rule": "keen", "when": draw(_keen())}]}
    without = {"rule": "gone", "after": "PT1H", "without": ["bought"], "to": "low"}
    annoying = {"refunded": draw(st.sampled_from([-1, -5, 1]))}
    points = document["scores"]["heat"]["points"] | annoying
    document["scores"]["heat"]["points"] = points
    document["stages"].append(keen | {"leave": [without]})
    for kind, signal in (("buy", "bought"), ("refund", "refunded")):
        document["signals"][signal]["match"]["type"] = [kind, "both"]
    if "within" in document["signals"]["bought"]["undone_by"]:
        document["signals"]["bought"]["undone_by"]["within"] = draw(durations)
    return Case(document, drawn, draw(instants(first=4, last=16)))


def _keen() -> st.SearchStrategy[Document]:
    counted = {"signal": st.just("bought"), "at_least": st.integers(1, 2)}
    bare = st.sampled_from([{"signal": "bought"}, {"signal": "refunded"}, {"signal": "looked"}])
    patient = st.fixed_dictionaries({"in_stage_for": st.sampled_from(["PT1H", "PT90M"])})
    return st.one_of(
        st.fixed_dictionaries({"signal": st.just("bought"), "at_least": st.integers(2, 3)}),
        st.fixed_dictionaries(counted, optional={"within": durations}),
        st.fixed_dictionaries({"all": st.tuples(bare, bare | patient).map(list)}),
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
