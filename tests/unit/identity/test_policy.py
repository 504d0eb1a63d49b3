import pickle

import pytest

from shared.identity.policy import BlockRule, KindRule, Policy
from shared.identity.policy_documents import default_policy
from shared.touchpoints import Identifier

POLICY = Policy(
    kinds=(KindRule("user_id", 1), KindRule("email", 5), KindRule("anonymous_id")),
    blocked=(
        BlockRule("email", ("noreply@example.com",), ("*@example.invalid", "test*@*")),
        BlockRule("*", ("null", "0"), ("n/a*",)),
        BlockRule("user_id", ("Guest",), ("shop-*",)),
        BlockRule("email", ("info@example.com",)),
    ),
)


def test_kinds_are_trusted_in_the_order_of_the_policy_and_others_after_them_by_name() -> None:
    kinds = ["zebra", "email", "crm_id", "anonymous_id", "user_id"]
    in_order = ["user_id", "email", "anonymous_id", "crm_id", "zebra"]
    assert sorted(kinds, key=POLICY.rank) == in_order


def test_identifiers_of_one_kind_are_sorted_by_value() -> None:
    smaller, larger = Identifier("email", "b@x"), Identifier("email", "é@x")
    assert POLICY.trust(smaller) < POLICY.trust(larger)
    assert POLICY.trust(Identifier("user_id", "z")) < POLICY.trust(smaller)


def test_only_kinds_with_a_limit_have_one() -> None:
    assert POLICY.limits == {"user_id": 1, "email": 5}


@pytest.mark.parametrize(
    "identifier",
    [
        Identifier("email", "noreply@example.com"),
        Identifier("email", "info@example.com"),
        Identifier("email", "ana@example.invalid"),
        Identifier("email", "test1@x.com"),
        Identifier("user_id", "Guest"),
        Identifier("user_id", "shop-7"),
        Identifier("email", "null"),
        Identifier("user_id", "NULL"),
        Identifier("phone", "0"),
        Identifier("never_listed", "N/A (none given)"),
    ],
)
def test_a_blocked_value_is_blocked(identifier: Identifier) -> None:
    assert POLICY.blocks(identifier)


@pytest.mark.parametrize(
    "identifier",
    [
        Identifier("email", "ana@example.com"),
        Identifier("user_id", "noreply@example.com"),
        Identifier("user_id", "guest"),
        Identifier("user_id", "Shop-7"),
        Identifier("user_id", "nullable"),
        Identifier("user_id", "10"),
    ],
)
def test_values_blocked_for_a_kind_leave_other_kinds_and_other_cases_alone(
    identifier: Identifier,
) -> None:
    assert not POLICY.blocks(identifier)


def test_the_default_policy_blocks_what_stands_for_nobody() -> None:
    policy = default_policy()
    for value in ("unknown", "Undefined", "NULL", "None", "anonymous", "0", "-1"):
        assert policy.blocks(Identifier("user_id", value))
    assert policy.blocks(Identifier("anonymous_id", "00000000-0000-0000-0000-000000000000"))
    assert policy.blocks(Identifier("email", "test@test.com"))
    assert policy.blocks(Identifier("email", "someone@example.invalid"))
    assert not policy.blocks(Identifier("email", "ana@example.com"))


def test_a_policy_survives_the_way_to_another_process() -> None:
    copy: object = pickle.loads(pickle.dumps(POLICY))  # noqa: S301 - pickled one line before
    assert copy == POLICY
    assert isinstance(copy, Policy)
    assert copy.blocks(Identifier("user_id", "NULL"))
    assert hash(copy) == hash(POLICY)
