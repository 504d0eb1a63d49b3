"""Links, bars and changes among so few identifiers and places that they meet all the time."""

from dataclasses import dataclass
from itertools import combinations
from typing import Final, TypeAlias

from hypothesis import strategies as st

from shared.identity.links import Bars, Link, Pair, pair_of
from shared.identity.policy import BlockRule, KindRule, Policy
from shared.touchpoints import Identifier, Place
from tests.reference.identity import Rules

POLICY: Final = Policy(
    kinds=(KindRule("user_id", 1), KindRule("email", 2), KindRule("anonymous_id", 3)),
    blocked=(BlockRule("*", ("null",)),),
)
RULES: Final = Rules(
    kinds=("user_id", "email", "anonymous_id"),
    unique=frozenset({"user_id"}),
    most={"email": 2, "anonymous_id": 3},
    blocked=frozenset({"null"}),
)

IDENTIFIERS: Final = tuple(
    Identifier(kind, value)
    for kind, values in (
        ("user_id", ("1", "2", "3", "null")),
        ("email", ("1", "2", "3")),
        ("anonymous_id", ("1", "2", "3", "4")),
        ("card", ("1", "2")),
        ("badge", ("1",)),
    )
    for value in values
)


@dataclass(frozen=True)
class Bar:
    """A pair is barred."""

    pair: Pair


@dataclass(frozen=True)
class Lift:
    """The bar on a pair is lifted, if there is one."""

    pair: Pair


@dataclass(frozen=True)
class Erase:
    """Everything that names an identifier goes."""

    identifier: Identifier


Change: TypeAlias = Link | Bar | Lift | Erase

identifiers: Final = st.sampled_from(IDENTIFIERS)
others: Final = st.sampled_from(IDENTIFIERS[2:])
places: Final = st.builds(
    Place, st.integers(0, 6), st.sampled_from(["a", "B"]), st.sampled_from(["1", "2"])
)
pairs: Final = st.lists(identifiers, min_size=2, max_size=2, unique=True).map(
    lambda ends: pair_of(ends[0], ends[1])
)


@st.composite
def link_lists(draw: st.DrawFn) -> list[Link]:
    """Links among a handful of the identifiers, so that guards are in their way."""
    pool = [*IDENTIFIERS[:2], *draw(st.lists(others, min_size=1, max_size=5, unique=True))]
    among = st.sampled_from([pair_of(*ends) for ends in combinations(pool, 2)])
    links = st.builds(lambda pair, place: Link.of(pair[0], pair[1], place), among, places)
    return draw(st.lists(links, min_size=draw(st.integers(0, 8)), max_size=16))


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Link], Bars]:
    """Links, and bars most of which void some of them."""
    drawn = draw(link_lists())
    linked = st.sampled_from(sorted({link.pair for link in drawn})) if drawn else pairs
    return drawn, frozenset(draw(st.lists(linked | pairs, max_size=4)))


@st.composite
def changes(draw: st.DrawFn) -> list[Change]:
    """Links, bars, lifts and erasures, in which bars void links and lifts find bars."""
    made: list[Change] = []
    for link in draw(link_lists()):
        made.append(link)
        known = st.sampled_from(made).map(pair_in)
        further: st.SearchStrategy[Change] = (
            st.builds(Bar, known) | st.builds(Lift, known) | st.builds(Erase, identifiers)
        )
        made.extend(draw(st.lists(further, max_size=1)))
    return made


def pair_in(change: Change) -> Pair:
    """Return a pair that *change* is about."""
    match change:
        case Erase(identifier):
            other = next(each for each in IDENTIFIERS if each != identifier)
            return pair_of(identifier, other)
        case Link() | Bar() | Lift():
            return change.pair
