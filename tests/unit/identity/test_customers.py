import pytest

from shared.identity.components import resolve
from shared.identity.customers import Customer, Resolution
from shared.identity.identifiers import identifier_id
from shared.identity.links import Link
from shared.touchpoints import Identifier, Place
from tests.strategies.identities import POLICY

ANA, BEN = Identifier("user_id", "ana"), Identifier("user_id", "ben")
TABLET = Identifier("anonymous_id", "tablet")


def link(one: Identifier, other: Identifier, at: int) -> Link:
    return Link.of(one, other, Place(at, "shop", f"e{at}"))


def family() -> Resolution:
    """Ana signs in on the tablet, then Ben does, and Carl has nothing to do with it."""
    history = [link(ANA, TABLET, 1), link(BEN, TABLET, 2)]
    return resolve(history, frozenset(), POLICY, alone=[Identifier("email", "carl@x")])


def test_a_customer_is_found_by_every_identifier() -> None:
    ana = Customer.of([TABLET, ANA], POLICY)
    assert family().customer_of(ANA) == family().customer_of(TABLET) == ana
    assert ana.id == identifier_id(ANA)


def test_an_identifier_nobody_named_is_not_found() -> None:
    with pytest.raises(KeyError):
        family().customer_of(Identifier("email", "dora@x"))


def test_a_refused_link_is_a_conflict_of_both_customers() -> None:
    resolution = family()
    refused = (link(BEN, TABLET, 2),)
    assert resolution.conflicts_of(resolution.customer_of(ANA)) == refused
    assert resolution.conflicts_of(resolution.customer_of(BEN)) == refused
    carl = resolution.customer_of(Identifier("email", "carl@x"))
    assert resolution.conflicts_of(carl) == ()
