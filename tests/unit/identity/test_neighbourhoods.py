from typing import assert_never

from hypothesis import given
from hypothesis import strategies as st

from shared.identity.components import resolve
from shared.identity.customers import Customer
from shared.identity.links import Bars, Link, Pair
from shared.identity.neighbourhoods import Neighbourhood, neighbourhood
from shared.touchpoints import Identifier, Place
from tests.strategies.identities import POLICY, Bar, Change, Erase, Lift, changes, pair_in

ANA, BEN = Identifier("user_id", "ana"), Identifier("user_id", "ben")
TABLET, PHONE = Identifier("anonymous_id", "tablet"), Identifier("anonymous_id", "phone")
MAIL = Identifier("email", "family@example.com")
NOBODY = Identifier("email", "null")
BLOCKED_DEVICE = Identifier("anonymous_id", "null")
NO_BARS: Bars = frozenset()


def link(one: Identifier, other: Identifier, at: int) -> Link:
    return Link.of(one, other, Place(at, "shop", "e"))


class Registry:
    """Customers kept up to date by folding anew only what each change concerns."""

    def __init__(self) -> None:
        self.links: set[Link] = set()
        self.bars: Bars = NO_BARS
        self.customer_of: dict[Identifier, Customer] = {}
        self.refused: set[Link] = set()

    def apply(self, change: Change) -> None:
        match change:
            case Link():
                self.links.add(change)
                self._refold(change.pair)
            case Bar(pair):
                self.bars |= {pair}
                self._refold(pair)
            case Lift(pair):
                self.bars -= {pair}
                self._refold(pair)
            case Erase(identifier):
                self._erase(identifier)
            case _:
                assert_never(change)

    def _erase(self, erased: Identifier) -> None:
        concerned = neighbourhood([erased], self.links, self.bars, POLICY).members - {erased}
        self.links = {each for each in self.links if erased not in each.pair}
        self.refused = {each for each in self.refused if erased not in each.pair}
        self.customer_of.pop(erased, None)
        self._refold(concerned)

    def _refold(self, seeds: Pair | frozenset[Identifier]) -> None:
        found = neighbourhood(seeds, self.links, self.bars, POLICY)
        resolution = resolve(found.links, self.bars, POLICY, alone=found.members)
        self.refused = {
            each
            for each in self.refused
            if each.a not in found.members and each.b not in found.members
        } | set(resolution.refused)
        for customer in resolution.customers:
            self.customer_of.update(dict.fromkeys(customer.identifiers, customer))


def assert_as_if_folded_at_once(registry: Registry) -> None:
    known = registry.customer_of
    expected = resolve(registry.links, registry.bars, POLICY, alone=known)
    assert known == {name: expected.customer_of(name) for name in known}
    assert registry.refused == set(expected.refused)


@given(changes())
def test_folding_a_neighbourhood_anew_is_folding_everything_anew(made: list[Change]) -> None:
    registry = Registry()
    for change in made:
        registry.apply(change)
        assert_as_if_folded_at_once(registry)


@given(changes().filter(bool), st.data())
def test_bar_then_lift_is_the_identity(made: list[Change], data: st.DataObject) -> None:
    pair = pair_in(data.draw(st.sampled_from(made)))
    registry = Registry()
    for change in [*made, Lift(pair)]:
        registry.apply(change)
    before = (dict(registry.customer_of), set(registry.refused))
    registry.apply(Bar(pair))
    registry.apply(Lift(pair))
    assert (registry.customer_of, registry.refused) == before


def test_refused_links_connect() -> None:
    links = [link(ANA, TABLET, 1), link(BEN, TABLET, 2), link(BEN, MAIL, 3)]
    found = neighbourhood([ANA], links, NO_BARS, POLICY)
    assert found.members == {ANA, TABLET, BEN, MAIL}
    assert found.links == set(links)


def test_void_links_connect_nothing() -> None:
    links = [link(ANA, TABLET, 1), link(ANA, NOBODY, 1), link(BEN, NOBODY, 2)]
    links += [link(ANA, BLOCKED_DEVICE, 3), link(PHONE, NOBODY, 4)]
    found = neighbourhood([ANA, NOBODY, PHONE], links, frozenset({(TABLET, ANA)}), POLICY)
    assert found.members == {ANA, NOBODY, PHONE}
    assert found.links == frozenset()


def test_a_store_is_asked_for_one_ring_after_the_other() -> None:
    found = Neighbourhood([ANA], POLICY)
    assert found.frontier == {ANA}
    found.extend([link(ANA, TABLET, 1), link(ANA, PHONE, 2)], NO_BARS)
    assert found.frontier == {TABLET, PHONE}
    found.extend([link(ANA, TABLET, 1), link(TABLET, MAIL, 3), link(ANA, PHONE, 2)], NO_BARS)
    assert found.frontier == {MAIL}
    found.extend([link(TABLET, MAIL, 3)], NO_BARS)
    assert found.frontier == frozenset()
    assert found.members == {ANA, TABLET, PHONE, MAIL}


def test_whoever_is_taken_in_brings_all_that_links_connect_with_them() -> None:
    found = neighbourhood([ANA], [], NO_BARS, POLICY)
    assert found.frontier == frozenset()
    found.add([BEN, ANA])
    assert found.frontier == {BEN}
    found.extend([link(BEN, TABLET, 1)], NO_BARS)
    assert found.members == {ANA, BEN, TABLET}
