"""Single steps come to what the whole fold comes to, or say that they cannot."""

from itertools import count
from random import Random

from hypothesis import event, given
from hypothesis import strategies as st

from shared.identity.components import folded, resolve
from shared.identity.customers import Customer, Known
from shared.identity.links import Bars, Link
from shared.identity.steps import Join, take_steps
from shared.touchpoints import Identifier, Place
from tests.strategies.identities import POLICY, histories

ANA, BEN = Identifier("user_id", "ana"), Identifier("user_id", "ben")
TABLET = Identifier("anonymous_id", "tablet")


class Store:
    """Keeps of each customer only what steps need, and whose each identifier is."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.links: dict[object, Link] = {}
        self.customers: dict[Identifier, Known] = {}
        self.refused: set[object] = set()

    def take(self, batch: list[Link]) -> bool:
        """Take *batch* in by steps where that is possible; tell whether it was."""
        made = {link.pair: link for link in sorted(batch, reverse=True)}
        news = [
            link for pair, link in made.items() if pair not in self.links or link < self.links[pair]
        ]
        for end in (end for link in news for end in link.pair):
            self.customers.setdefault(end, Known.alone(end))
        known = {end: self.customers[end] for link in news for end in link.pair}
        steps = take_steps(news, known, self.bars, POLICY)
        self.links.update((link.pair, link) for link in news)
        if steps is None:
            self.fold_anew()
            return False
        self.refused |= steps.refused
        for join in steps.joins:
            for end, customer in self.customers.items():
                if customer.canonical in join.formers:
                    self.customers[end] = join.present
        return True

    def fold_anew(self) -> None:
        components = folded(self.links.values(), self.bars, POLICY, alone=self.customers)
        resolution = components.resolution()
        self.refused = {link.pair for link in resolution.refused}
        for customer in resolution.customers:
            self.customers.update(dict.fromkeys(customer.identifiers, components.known(customer)))


@given(histories(), st.randoms(use_true_random=False))
def test_any_order_and_batching_come_to_what_all_links_at_once_come_to(
    history: tuple[list[Link], Bars], chance: Random
) -> None:
    links, bars = history
    arriving = [*links, *chance.sample(links, len(links) // 3)]
    chance.shuffle(arriving)
    store = Store(bars)
    while arriving:
        size = chance.randrange(1, 5)
        event("by steps" if store.take(arriving[:size]) else "folded anew")
        del arriving[:size]
    expected = resolve(links, bars, POLICY)
    assert {end: known.canonical for end, known in store.customers.items()} == {
        member: customer.canonical
        for customer in expected.customers
        for member in customer.identifiers
    }
    assert store.refused == {link.pair for link in expected.refused}
    for customer in expected.customers:
        known = store.customers[customer.canonical]
        kinds = [member.kind for member in customer.identifiers]
        assert known.counts == {kind: kinds.count(kind) for kind in kinds}


def test_a_login_hands_the_smaller_name_over_and_counts_both() -> None:
    link = Link.of(ANA, TABLET, Place(1, "web", "e"))
    known = {TABLET: Known(TABLET, {"anonymous_id": 2}, Place(0, "a", "b")), ANA: Known.alone(ANA)}
    steps = take_steps([link], known, frozenset(), POLICY)
    assert steps is not None
    present = Known(ANA, {"user_id": 1, "anonymous_id": 2}, link.place)
    assert steps.joins == (Join(frozenset({ANA, TABLET}), present),)


def test_refusing_the_next_user_of_a_kiosk_needs_nothing_of_the_others() -> None:
    kiosk = Known(ANA, {"user_id": 1, "anonymous_id": 1}, Place(1, "web", "e"))
    for number in count(2):
        user = Identifier("user_id", f"u{number}")
        link = Link.of(user, TABLET, Place(number, "web", "e"))
        known = {TABLET: kiosk, user: Known.alone(user)}
        steps = take_steps([link], known, frozenset(), POLICY)
        assert steps is not None
        assert steps == ((), frozenset({link.pair}))
        if number > 20:
            break


def test_a_late_refusal_of_a_customer_that_grew_since_takes_more_than_a_step() -> None:
    known = {
        TABLET: Known(ANA, {"user_id": 1, "anonymous_id": 1}, Place(5, "web", "e")),
        BEN: Known.alone(BEN),
    }
    late = Link.of(BEN, TABLET, Place(4, "web", "e"))
    assert take_steps([late], known, frozenset(), POLICY) is None
    assert take_steps([late], known, frozenset({late.pair}), POLICY) == ((), frozenset())


def test_what_is_kept_of_a_customer_says_all_of_it() -> None:
    links = [Link.of(ANA, TABLET, Place(3, "web", "e"))]
    components = folded(links, frozenset(), POLICY, alone=[BEN])
    ana, ben = (Customer.of(names, POLICY) for names in ([ANA, TABLET], [BEN]))
    assert components.known(ana) == Known(
        ANA, {"user_id": 1, "anonymous_id": 1}, Place(3, "web", "e")
    )
    assert components.known(ben) == Known.alone(BEN)
