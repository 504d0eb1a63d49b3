from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.identity.components import Components, Step, resolve
from shared.identity.customers import Resolution
from shared.identity.identifiers import identifier_id
from shared.identity.links import Bars, Link, Pair
from shared.touchpoints import Identifier, Place
from tests.reference import identity as reference
from tests.strategies.identities import POLICY, RULES, histories, identifiers, link_lists

ANA, BEN = Identifier("user_id", "ana"), Identifier("user_id", "ben")
TABLET, PHONE = Identifier("anonymous_id", "tablet"), Identifier("anonymous_id", "phone")
MAIL = Identifier("email", "family@example.com")
NOBODY = Identifier("user_id", "null")
NO_BARS: Bars = frozenset()

_chances = st.randoms(use_true_random=False)


def link(one: Identifier, other: Identifier, at: int) -> Link:
    return Link.of(one, other, Place(at, "shop", "e"))


def sets_of(resolution: Resolution) -> set[frozenset[Identifier]]:
    return {customer.identifiers for customer in resolution.customers}


def folded(links: list[Link], bars: Bars) -> Components:
    """All links in canonical order, each one step."""
    components = Components(POLICY, bars)
    assert Step.LATE not in [components.add(each) for each in sorted(links)]
    return components


def fed(arrivals: list[Link], bars: Bars) -> Components:
    """All links as they arrive, folding anew only when the state asks for it."""
    components = Components(POLICY, bars)
    for index, each in enumerate(arrivals):
        if components.add(each) is Step.LATE:
            components = folded(arrivals[: index + 1], bars)
    return components


@given(histories())
def test_customers_ids_and_refused_links_are_those_of_the_specification(
    history: tuple[list[Link], Bars],
) -> None:
    links, bars = history
    expected = reference.fold(links, [frozenset(pair) for pair in bars], RULES)
    found = resolve(links, bars, POLICY)
    assert sets_of(found) == expected.customers
    assert {each.identifiers: each.id for each in found.customers} == {
        names: reference.id_of(names, RULES) for names in expected.customers
    }
    first_refused: dict[object, reference.Claim] = {}
    for claim in sorted(expected.refused):
        first_refused.setdefault(claim[3:], claim)
    assert list(found.refused) == list(first_refused.values())


@given(histories(), _chances)
def test_neither_order_nor_duplicates_make_a_difference(
    history: tuple[list[Link], Bars], chance: Random
) -> None:
    links, bars = history
    again = [*links, *chance.sample(links, len(links) // 2)]
    chance.shuffle(again)
    assert resolve(again, bars, POLICY) == resolve(links, bars, POLICY)


@given(histories())
def test_of_each_pair_the_earliest_link_is_enough(history: tuple[list[Link], Bars]) -> None:
    links, bars = history
    earliest: dict[Pair, Link] = {}
    for each in sorted(links):
        earliest.setdefault(each.pair, each)
    assert resolve(earliest.values(), bars, POLICY) == resolve(links, bars, POLICY)


@given(histories(), _chances)
def test_links_added_one_by_one_in_any_order_come_to_the_same(
    history: tuple[list[Link], Bars], chance: Random
) -> None:
    links, bars = history
    arrivals = [*links, *chance.sample(links, len(links) // 3)]
    chance.shuffle(arrivals)
    assert fed(arrivals, bars).resolution() == resolve(links, bars, POLICY)


@given(histories(), st.integers(0, 24))
def test_customers_of_an_earlier_fold_go_on_as_if_they_had_never_been_put_away(
    history: tuple[list[Link], Bars], first: int
) -> None:
    links, bars = history
    components, seen = restored(resolve(links[:first], bars, POLICY), links[:first], bars), first
    for each in links[first:]:
        seen += 1
        step = components.add(each)
        if step is Step.LATE:
            return
        expected = resolve(links[:seen], bars, POLICY)
        assert sets_of(components.resolution()) == sets_of(expected)
        refused = {refused.pair for refused in expected.refused}
        assert (step is Step.REFUSED) == (each.pair in refused)


def restored(earlier: Resolution, links: list[Link], bars: Bars) -> Components:
    """What a store would know of the customers of an earlier fold."""
    components = Components(POLICY, bars)
    for customer in earlier.customers:
        members = customer.identifiers
        components.add_component(
            members,
            changed=max((each for each in links if set(each.pair) <= members), default=None),
        )
    return components


@given(histories())
def test_no_customer_ever_holds_more_values_of_a_kind_than_allowed(
    history: tuple[list[Link], Bars],
) -> None:
    links, bars = history
    for customer in resolve(links, bars, POLICY).customers:
        kinds = [identifier.kind for identifier in customer.identifiers]
        assert all(kinds.count(kind) <= limit for kind, limit in POLICY.limits.items())


@given(histories())
def test_links_are_refused_exactly_where_joining_would_break_a_guard(
    history: tuple[list[Link], Bars],
) -> None:
    links, bars = history
    refused = set(resolve(links, bars, POLICY).refused)
    for each in links:
        if each.pair in bars or NOBODY in each.pair:
            continue
        before = [earlier for earlier in links if earlier < each]
        then = resolve(before, bars, POLICY, alone=each.pair)
        if each.pair in {earlier.pair for earlier in before}:
            assert each not in refused
            continue
        union = then.customer_of(each.a).identifiers | then.customer_of(each.b).identifiers
        assert (each in refused) == reference.breaks_a_guard(union, RULES)


@given(link_lists(), identifiers)
def test_an_identifier_all_of_whose_links_are_gone_was_never_there(
    links: list[Link], erased: Identifier
) -> None:
    rest = [each for each in links if erased not in each.pair]
    barred = frozenset(each.pair for each in links if erased in each.pair)
    without, cut_off = resolve(rest, NO_BARS, POLICY), resolve(links, barred, POLICY)
    assert cut_off.refused == without.refused
    alone = {each for each in cut_off.customers if each not in without.customers}
    assert all(len(each.identifiers) == 1 for each in alone)


def test_three_identifiers_merge_to_one_customer_with_one_id_in_any_order() -> None:
    for one, two, three in permutations([ANA, TABLET, MAIL]):
        for order in permutations([(one, two), (two, three)]):
            links = [link(*pair, at) for at, pair in enumerate(order)]
            (customer,) = resolve(links, NO_BARS, POLICY).customers
            assert customer.identifiers == {ANA, TABLET, MAIL}
            assert customer.id == identifier_id(ANA)


def test_a_late_login_takes_the_tablet_and_the_earlier_one_is_refused() -> None:
    ana, ben = link(ANA, TABLET, 2), link(BEN, TABLET, 1)
    components = Components(POLICY)
    assert components.add(ana) is Step.JOINED
    assert components.add(ben) is Step.LATE
    assert components.members_with(TABLET) == {ANA, TABLET}
    resolution = resolve([ana, ben], NO_BARS, POLICY)
    assert resolution.customer_of(TABLET).identifiers == {BEN, TABLET}
    assert resolution.refused == (ana,)


def test_a_late_link_that_no_guard_minds_is_one_step() -> None:
    components = Components(POLICY)
    steps = [components.add(link(TABLET, MAIL, 9)), components.add(link(ANA, MAIL, 5))]
    assert steps == [Step.JOINED, Step.JOINED]
    assert components.add(link(ANA, TABLET, 1)) is Step.TOGETHER


def test_a_customer_that_grew_after_the_place_of_a_refused_link_is_folded_anew() -> None:
    card = Identifier("card", "1")
    ana, ben = link(ANA, TABLET, 1), link(BEN, card, 9)
    components = Components(POLICY)
    components.add(ana)
    components.add(ben)
    assert components.add(link(TABLET, card, 5)) is Step.LATE
    assert components.add(link(TABLET, card, 10)) is Step.REFUSED
    anew = resolve([ana, ben, link(TABLET, card, 5)], NO_BARS, POLICY)
    assert anew.customer_of(card).identifiers == {ANA, TABLET, card}


def test_the_growth_of_both_parts_of_a_customer_is_remembered() -> None:
    components = Components(POLICY)
    for each in (link(MAIL, TABLET, 9), link(ANA, PHONE, 8), link(ANA, TABLET, 2)):
        assert components.add(each) is Step.JOINED
    assert components.add(link(BEN, MAIL, 8)) is Step.LATE
    assert components.add(link(BEN, MAIL, 10)) is Step.REFUSED


def test_a_customer_taken_over_remembers_its_growth() -> None:
    components = Components(POLICY)
    components.add_component([ANA, TABLET], changed=link(ANA, TABLET, 5))
    assert components.add(link(BEN, TABLET, 4)) is Step.LATE
    assert components.add(link(BEN, TABLET, 6)) is Step.REFUSED


def test_a_customer_taken_over_holds_as_many_values_as_it_had() -> None:
    components = Components(POLICY)
    mails = [Identifier("email", value) for value in ("1", "2", "3")]
    components.add_component([*mails[:2], ANA], changed=link(ANA, mails[0], 1))
    assert components.add(link(ANA, mails[2], 2)) is Step.REFUSED


def test_refusing_another_user_of_a_kiosk_is_one_step_whatever_came_since() -> None:
    components = Components(POLICY)
    components.add(link(ANA, TABLET, 1))
    for at in (50, 30, 40, 20, 2):
        assert components.add(link(Identifier("user_id", f"u{at}"), TABLET, at)) is Step.REFUSED
    assert components.add(link(Identifier("user_id", "u30"), TABLET, 60)) is Step.REFUSED
    assert len(components.resolution().refused) == 5
    assert components.add(link(BEN, TABLET, 0)) is Step.LATE


def test_of_a_refused_pair_the_earliest_place_is_kept() -> None:
    components = Components(POLICY)
    for at in (1, 9, 5, 7):
        components.add(link(ANA if at == 1 else BEN, TABLET, at))
    carl = Identifier("user_id", "carl")
    components.add(link(carl, TABLET, 3))
    assert components.resolution().refused == (link(carl, TABLET, 3), link(BEN, TABLET, 5))


def test_void_links_join_nothing_and_leave_their_ends_alone() -> None:
    components = Components(POLICY, frozenset({(TABLET, ANA)}))
    assert components.add(link(ANA, TABLET, 1)) is Step.VOID
    assert components.add(link(NOBODY, TABLET, 1)) is Step.VOID
    assert sets_of(components.resolution()) == {
        frozenset({ANA}),
        frozenset({TABLET}),
        frozenset({NOBODY}),
    }


def test_a_bar_lets_the_next_one_in() -> None:
    links = [link(ANA, TABLET, 1), link(BEN, TABLET, 2)]
    barred = resolve(links, frozenset({(TABLET, ANA)}), POLICY)
    assert barred.customer_of(TABLET).identifiers == {BEN, TABLET}
    assert barred.refused == ()


def test_customers_stand_in_order_of_trust_and_then_of_value() -> None:
    alone = [MAIL, TABLET, BEN, PHONE, Identifier("card", "1"), ANA]
    resolution = resolve([], NO_BARS, POLICY, alone=alone)
    assert [customer.canonical for customer in resolution.customers] == [
        ANA,
        BEN,
        MAIL,
        PHONE,
        TABLET,
        Identifier("card", "1"),
    ]


def test_a_customer_is_not_taken_over_twice() -> None:
    components = Components(POLICY)
    components.add_alone(ANA)
    with pytest.raises(ValueError, match="known already"):
        components.add_component([TABLET, ANA], changed=None)
    with pytest.raises(KeyError):
        components.members_with(TABLET)


def test_a_blocked_value_taken_over_stays_alone() -> None:
    components = Components(POLICY)
    components.add_component([NOBODY], changed=None)
    assert components.add(link(NOBODY, TABLET, 1)) is Step.VOID
