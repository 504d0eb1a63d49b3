from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Unreadable
from shared.identity.identifiers import (
    canonical,
    customer_id,
    identifier_id,
    parse_ref,
    primary,
)
from shared.identity.policy_documents import default_policy
from shared.touchpoints import Identifier

ANA = Identifier("user_id", "u_42")
MAIL = Identifier("email", "ana@example.com")
DEVICE = Identifier("anonymous_id", "a-77")


def test_the_id_of_an_identifier_is_the_same_for_ever() -> None:
    assert identifier_id(ANA) == UUID("5aa60086-680f-5bd9-a450-bc846ef34082")
    assert identifier_id(MAIL) == UUID("b0755bc6-fa5e-5be2-855b-85594d81ed17")
    assert identifier_id(Identifier("user_id", "é:\U0001f600")) == UUID(
        "6401b075-b478-5432-9d82-bc0864f2e8f8"
    )


def test_a_uuid_is_a_reference_to_a_customer_id() -> None:
    text = "0f8fad5b-d9cb-469f-a165-70867728950e"
    assert parse_ref(text) == parse_ref(text.upper()) == UUID(text)


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("user_id:u_42", ANA),
        ("email: Ana@Example.com", MAIL),
        ("phone:+49 30 123456", Identifier("phone", "+4930123456")),
        ("user_id:a:b:c", Identifier("user_id", "a:b:c")),
        ("x:" + "y" * 200, Identifier("x", "y" * 200)),
        (
            "crm_id:0f8fad5b-d9cb-469f-a165-70867728950e",
            Identifier("crm_id", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        ),
    ],
)
def test_a_kind_and_a_value_are_a_reference_to_an_identifier(
    text: str, identifier: Identifier
) -> None:
    assert parse_ref(text) == identifier


def test_a_national_number_is_found_by_its_region() -> None:
    found = parse_ref("phone:030 123456", phone_region="DE")
    assert found == Identifier("phone", "+4930123456")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "u_42",
        ":x",
        "user_id:",
        "user_id: \t",
        "User:x",
        "a" * 33 + ":x",
        "é:x",
        "urn:uuid:\x00",
        "x:a\x00b",
        "x:\ud800",
        "x:" + "y" * 201,
        "0f8fad5bd9cb469fa16570867728950e",
        "{0f8fad5b-d9cb-469f-a165-70867728950e}",
        "0f8fad5b-d9cb-469f-a165-70867728950e\n",
    ],
)
def test_anything_else_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable, match=r"^A customer reference (must|has) ") as refused:
        parse_ref(text)
    assert refused.value.code == "bad_ref"


@given(st.text(max_size=60))
def test_reading_a_reference_raises_nothing_else(text: str) -> None:
    try:
        found = parse_ref(text)
    except Unreadable:
        return
    assert isinstance(found, Identifier | UUID)


def test_a_touchpoint_belongs_to_its_most_trusted_kind_and_then_to_the_smallest_value() -> None:
    policy = default_policy()
    assert primary([DEVICE, MAIL, ANA], policy) == ANA
    assert primary([DEVICE, MAIL], policy) == MAIL
    assert primary([Identifier("zone", "1"), Identifier("app", "2"), DEVICE], policy) == DEVICE
    assert primary([Identifier("zone", "1"), Identifier("app", "2")], policy).kind == "app"
    assert primary([MAIL, Identifier("email", "aa@example.com")], policy).value[:2] == "aa"


def test_a_customer_has_the_id_of_the_canonical_member() -> None:
    policy = default_policy()
    assert canonical({DEVICE, MAIL, ANA}, policy) == ANA
    assert customer_id({DEVICE, MAIL, ANA}, policy) == identifier_id(ANA)
    assert customer_id({DEVICE}, policy) == identifier_id(DEVICE)
