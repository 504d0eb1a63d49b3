from itertools import permutations

import pytest

from shared.identity.links import Link, bars_between, links_of, may_link, pair_of
from shared.identity.policy_documents import default_policy
from shared.touchpoints import Identifier, Place

ANA = Identifier("user_id", "u_42")
MAIL = Identifier("email", "ana@example.com")
DEVICE = Identifier("anonymous_id", "a-77")
NOON = Place(12, "shop", "e1")


def test_a_pair_is_the_same_from_both_sides() -> None:
    assert pair_of(ANA, MAIL) == pair_of(MAIL, ANA) == (MAIL, ANA)
    assert Link.of(ANA, MAIL, NOON) == Link.of(MAIL, ANA, NOON)


def test_an_identifier_is_never_paired_with_itself() -> None:
    with pytest.raises(ValueError, match="with itself"):
        pair_of(ANA, ANA)


def test_links_compare_by_time_then_source_then_event_then_pair() -> None:
    in_order = [
        Link.of(ANA, MAIL, Place(1, "z", "9")),
        Link.of(ANA, MAIL, Place(2, "a", "9")),
        Link.of(ANA, MAIL, Place(2, "b", "10")),
        Link.of(ANA, DEVICE, Place(2, "b", "9")),
        Link.of(ANA, MAIL, Place(2, "b", "9")),
    ]
    assert all(sorted(order) == in_order for order in permutations(in_order))
    assert in_order[3].place == Place(2, "b", "9")
    assert in_order[3].pair == (DEVICE, ANA)


def test_a_touchpoint_links_its_primary_identifier_to_each_of_the_others() -> None:
    others = [DEVICE, MAIL, *(Identifier("email", f"{n}@example.com") for n in range(9))]
    expected = tuple(sorted(Link.of(ANA, other, NOON) for other in others))
    for order in ([ANA, *others, MAIL], [*others[::-1], ANA, DEVICE]):
        assert links_of(order, NOON, default_policy()) == expected


@pytest.mark.parametrize("carried", [[], [ANA], [ANA, ANA]])
def test_a_touchpoint_with_one_identifier_links_nothing(carried: list[Identifier]) -> None:
    assert links_of(carried, NOON, default_policy()) == ()


def test_an_identify_only_source_links_by_identify_and_alias_alone() -> None:
    linking = [
        each
        for each in ("identify", "alias", "order_completed", "group")
        if may_link(each, identify_only=True)
    ]
    assert linking == ["identify", "alias"]
    assert may_link("order_completed", identify_only=False)


def test_an_identifier_is_barred_from_every_other_member_of_its_customer() -> None:
    expected = frozenset({(DEVICE, MAIL), (DEVICE, ANA)})
    assert bars_between(DEVICE, [ANA, MAIL, DEVICE]) == expected
    assert bars_between(DEVICE, [DEVICE]) == frozenset()
