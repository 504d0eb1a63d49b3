import hashlib

import pytest

from shared.acceptance.items import accept
from shared.errors import Invalid
from shared.identity.policy import BlockRule, KindRule, Policy
from shared.instants import datetime_of, parse_rfc3339
from shared.records import TouchpointData, key_of, touchpoint_record
from shared.sources import Links, SourceSettings, UnknownTypes
from shared.touchpoints import Channel, JsonObject, JsonValue
from tests.strategies.items import (
    NOW,
    accepted,
    as_json,
    faults_of,
    item_with,
    nested,
    rejected,
    terms_with,
)

EVERYTHING: JsonObject = {
    "event_id": "order-1001",
    "type": "order_completed",
    "channel": "contact_center",
    "occurred_at": "2026-01-05T10:00:00Z",
    "sent_at": "2026-01-05T11:59:00Z",
    "customer": {
        "anonymous_id": "a-77",
        "email": " Ana@Example.com ",
        "loyalty_id": 9,
        "phone": "+49 30 123456",
        "user_id": "u_42",
        "shoe_size": "42",
    },
    "traits": {"plan": "pro", "age": None},
    "properties": {"order_id": "1001", "value": 99.5, "deep": nested(20)},
    "context": {"page": {"url": "https://shop.example/"}},
    "text": "free text",
}
NULLS: JsonObject = dict.fromkeys(
    ["event_id", "channel", "occurred_at", "sent_at", "traits", "properties", "context", "text"]
)


def test_a_full_item_becomes_a_record_that_says_all_of_it_normalised() -> None:
    at = parse_rfc3339("2026-01-05T10:00:00Z")
    minute = 60_000_000
    assert accepted(EVERYTHING) == touchpoint_record(
        "shop",
        "order-1001",
        TouchpointData(
            type="order_completed",
            channel=Channel.CONTACT_CENTER,
            identifiers=(
                "user_id:u_42",
                "loyalty_id:9",
                "email:ana@example.com",
                "phone:+4930123456",
                "anonymous_id:a-77",
                "shoe_size:42",
            ),
            received_at=datetime_of(NOW),
            effective_at=datetime_of(at + minute),
            occurred_at=datetime_of(at),
            sent_at=datetime_of(NOW - minute),
            properties={"order_id": "1001", "value": 99.5, "deep": nested(20)},
            context={"page": {"url": "https://shop.example/"}},
            traits={"plan": "pro", "age": None},
            text="free text",
        ),
    )


def test_the_least_an_item_can_say_is_its_type_and_customer() -> None:
    record = accepted({"type": "x", "customer": {"user_id": "u"}})
    assert record.data == TouchpointData(
        type="x",
        channel=Channel.WEB,
        identifiers=("user_id:u",),
        received_at=datetime_of(NOW),
        effective_at=datetime_of(NOW),
        flags=("id_assigned",),
    )


def test_null_is_absent_in_every_optional_member() -> None:
    least: JsonObject = {"type": "x", "customer": {"user_id": "u", "email": None, "phone": ""}}
    assert accepted({**NULLS, **least}).data == accepted(least).data


def test_the_log_keeps_a_customers_records_together_by_the_most_trusted_identifier() -> None:
    assert key_of(accepted(EVERYTHING)) == b"user_id:u_42"


@pytest.mark.parametrize("name", ["foo", "Type", "touchpoints", "userId", ""])
@pytest.mark.parametrize("value", [None, 1])
def test_a_member_that_items_do_not_have_is_refused(name: str, value: JsonValue) -> None:
    assert faults_of(item_with(**{name: value})) == [(name, "unknown_field")]


@pytest.mark.parametrize("name", ["received_at", "source", "customer_id"])
def test_what_the_server_sets_cannot_be_sent(name: str) -> None:
    record = rejected(item_with(**{name: "x"}))
    assert record.data.reason == "unknown_field"
    assert "set by the server" in record.data.message


@pytest.mark.parametrize(
    ("item", "faults"),
    [
        ({}, [("type", "required"), ("customer", "required")]),
        ({"type": None, "customer": None}, [("type", "required"), ("customer", "required")]),
        (item_with(type=5), [("type", "invalid_type")]),
        (item_with(channel="Web"), [("channel", "invalid_value")]),
        (item_with(channel=""), [("channel", "invalid_value")]),
        (item_with(channel=1), [("channel", "invalid_type")]),
        (item_with(event_id=1), [("event_id", "invalid_type")]),
        (item_with(event_id=""), [("event_id", "invalid_value")]),
        (item_with(event_id="x" * 201), [("event_id", "too_long")]),
        (item_with(traits=[]), [("traits", "invalid_type")]),
        (item_with(properties="x"), [("properties", "invalid_type")]),
        (item_with(context=1), [("context", "invalid_type")]),
        (item_with(text={}), [("text", "invalid_type")]),
        (item_with(occurred_at=1767607200), [("occurred_at", "invalid_type")]),
        (item_with(occurred_at="2026-01-05"), [("occurred_at", "invalid_time")]),
        (item_with(occurred_at="2026-01-05T10:00:00"), [("occurred_at", "invalid_time")]),
        (item_with(occurred_at="2026-02-30T10:00:00Z"), [("occurred_at", "invalid_time")]),
        (item_with(occurred_at="0001-01-01T00:00:00+14:00"), [("occurred_at", "invalid_time")]),
        (item_with(occurred_at="9999-12-31T23:59:59-01:00"), [("occurred_at", "invalid_time")]),
        (item_with(sent_at="now"), [("sent_at", "invalid_time")]),
        (
            item_with(occurred_at="0001-01-01T00:00:00Z", sent_at="2026-01-05T12:00:01Z"),
            [("occurred_at", "invalid_time")],
        ),
        (item_with(customer="u_42"), [("customer", "invalid_type")]),
        (item_with(customer=["u_42"]), [("customer", "invalid_type")]),
    ],
)
def test_a_member_of_the_wrong_kind_is_named(
    item: JsonValue, faults: list[tuple[str, str]]
) -> None:
    assert faults_of(item) == faults


def test_every_fault_of_an_item_is_told_and_the_first_is_its_reason() -> None:
    record = rejected({"type": "§", "customer": {"User": 1, "x": True}, "text": 1, "y": 2})
    assert {(fault.path, fault.code) for fault in record.data.errors} == {
        ("y", "unknown_field"),
        ("customer.x", "invalid_type"),
        ("text", "invalid_type"),
        ("type", "invalid_value"),
        ("customer.User", "invalid_value"),
    }
    assert (record.data.reason, record.data.errors[0].path) == ("unknown_field", "y")
    assert record.data.message.startswith("y is not a member")


def test_a_hundred_faults_are_told_by_ten() -> None:
    assert len(faults_of(item_with(**{f"x{number}": 1 for number in range(100)}))) == 10


@pytest.mark.parametrize(
    "name", ["a", "9", "Order Completed", "a:b/c.d-e_f$", "x" * 128, "https://x"]
)
def test_types_may_be_written_like_names_and_addresses(name: str) -> None:
    assert accepted(item_with(type=name)).data.type == name


@pytest.mark.parametrize("name", ["", " a", "_a", "$a", "ä", "a\n", "x" * 129, "a,b", "٣"])
def test_types_are_written_in_no_other_way(name: str) -> None:
    assert faults_of(item_with(type=name)) == [("type", "invalid_value")]


KNOWN = frozenset({"page_viewed"})


@pytest.mark.parametrize("treatment", list(UnknownTypes))
def test_a_type_that_the_source_lists_is_known(treatment: UnknownTypes) -> None:
    settings = SourceSettings(types=KNOWN, unknown_types=treatment)
    assert not accepted(item_with(), terms_with(settings)).data.flags


@pytest.mark.parametrize("treatment", list(UnknownTypes))
@pytest.mark.parametrize("name", ["store_sale", "Order Completed", "email_link_clicked"])
def test_without_a_list_the_catalogue_s_types_are_known(treatment: UnknownTypes, name: str) -> None:
    settings = SourceSettings(unknown_types=treatment)
    assert not accepted(item_with(type=name), terms_with(settings)).data.flags


def test_a_list_stands_for_itself_without_the_catalogue() -> None:
    settings = SourceSettings(types=KNOWN, unknown_types=UnknownTypes.REJECT)
    item = item_with(type="store_sale")
    assert faults_of(item, terms_with(settings)) == [("type", "unknown_type")]


def test_without_a_list_and_without_a_wish_every_type_is_taken_as_it_is() -> None:
    assert not accepted(item_with(type="new")).data.flags


def test_a_source_may_accept_flag_or_reject_types_it_does_not_list() -> None:
    item = item_with(type="new")
    for types in (KNOWN, frozenset[str]()):
        settings = SourceSettings(types=types, unknown_types=UnknownTypes.ACCEPT)
        assert accepted(item, terms_with(settings)).data.flags == ()
        settings = SourceSettings(types=types, unknown_types=UnknownTypes.FLAG)
        assert accepted(item, terms_with(settings)).data.flags == ("unknown_type",)
        settings = SourceSettings(types=types, unknown_types=UnknownTypes.REJECT)
        assert faults_of(item, terms_with(settings)) == [("type", "unknown_type")]


@pytest.mark.parametrize(
    ("value", "identifier"),
    [
        ("u", "k:u"),
        (" u ", "k:u"),
        (7, "k:7"),
        (-7, "k:-7"),
        (2**63 - 1, f"k:{2**63 - 1}"),
        ("a:b/c%", "k:a:b/c%"),
        ("é" * 200, "k:" + "é" * 200),
        (" " * 300 + "u", "k:u"),
    ],
)
def test_an_identifier_is_a_string_or_an_integer_trimmed(value: JsonValue, identifier: str) -> None:
    assert accepted(item_with(customer={"k": value})).data.identifiers == (identifier,)


@pytest.mark.parametrize("value", [True, False, 1.5, 1.0, [], {}, ["u"]])
def test_an_identifier_is_nothing_else(value: JsonValue) -> None:
    faults = faults_of(item_with(customer={"user_id": "u", "k": value}))
    assert faults == [("customer.k", "invalid_type")]


def test_what_is_wrong_with_the_only_identifier_is_told_once() -> None:
    values: list[JsonValue] = [1.5, [], True]
    for value in values:
        assert faults_of(item_with(customer={"k": value})) == [("customer.k", "invalid_type")]


@pytest.mark.parametrize("kind", ["", "User", "9a", "a b", "a-b", "x" * 33, "é", "a\n"])
def test_a_kind_of_identifier_is_a_short_lower_case_name(kind: str) -> None:
    assert faults_of(item_with(customer={kind: "u"})) == [(f"customer.{kind}", "invalid_value")]


@pytest.mark.parametrize("value", ["x" * 201, "é" * 201, "x" * 3_000])
def test_an_identifier_of_more_than_two_hundred_characters_is_refused(value: str) -> None:
    assert faults_of(item_with(customer={"k": value})) == [("customer.k", "too_long")]


def test_an_email_that_lower_case_makes_too_long_is_refused() -> None:
    address = "İ" * 150 + "@example.com"
    assert faults_of(item_with(customer={"email": address})) == [("customer.email", "too_long")]


@pytest.mark.parametrize("customer", [{}, {"user_id": None}, {"user_id": "", "email": "  "}])
def test_a_customer_without_any_identifier_is_no_customer(customer: JsonValue) -> None:
    assert faults_of(item_with(customer=customer)) == [("customer", "required")]


def test_blocked_identifiers_are_dropped_and_flagged() -> None:
    customer: JsonValue = {"user_id": "undefined", "email": "TEST@test.com", "anonymous_id": "a-77"}
    data = accepted(item_with(customer=customer)).data
    assert data.identifiers == ("anonymous_id:a-77",)
    assert data.flags == ("blocked_identifier",)


def test_an_item_of_blocked_identifiers_alone_is_refused_for_that() -> None:
    faults = faults_of(item_with(customer={"user_id": "unknown", "crm_id": 0}))
    assert faults == [("customer", "blocked_identifier")]


def test_the_deployments_own_policy_decides_about_trust_and_blocks() -> None:
    policy = Policy(
        kinds=(KindRule("card"), KindRule("user_id")),
        blocked=(BlockRule("user_id", values=("u_13",)),),
    )
    customer: JsonValue = {"user_id": "u_42", "card": "c-1", "b": "2", "a": "1"}
    record = accepted(item_with(customer=customer), terms_with(policy=policy))
    assert record.data.identifiers == ("card:c-1", "user_id:u_42", "a:1", "b:2")
    faults = faults_of(item_with(customer={"user_id": "u_13"}), terms_with(policy=policy))
    assert faults == [("customer", "blocked_identifier")]


def test_phones_and_emails_that_cannot_be_normalised_are_kept_and_flagged() -> None:
    customer: JsonValue = {"phone": "ask at the desk", "email": "ana"}
    data = accepted(item_with(customer=customer)).data
    assert set(data.identifiers) == {"phone:ask at the desk", "email:ana"}
    assert set(data.flags) == {"phone_not_normalised", "email_not_normalised"}


def test_a_source_may_say_where_its_phone_numbers_are_from() -> None:
    settings = SourceSettings(phone_region="DE")
    record = accepted(item_with(customer={"phone": "030 123456"}), terms_with(settings))
    assert record.data.identifiers == ("phone:+4930123456",)


@pytest.mark.parametrize(
    ("name", "links"), [("identify", True), ("alias", True), ("page_viewed", False)]
)
def test_a_source_may_let_only_identify_and_alias_link(name: str, links: bool) -> None:  # noqa: FBT001
    settings = SourceSettings(links=Links.IDENTIFY_ONLY)
    assert accepted(item_with(type=name), terms_with(settings)).data.links is links
    assert accepted(item_with(type=name)).data.links is True


def test_a_backfill_is_marked_by_its_source_or_by_its_request() -> None:
    assert accepted(item_with(), terms_with(SourceSettings(historical=True))).data.historical
    assert accepted(item_with(), terms_with(historical=True)).data.historical
    assert not accepted(item_with()).data.historical


def test_files_take_time_to_arrive_so_that_their_times_are_not_corrected() -> None:
    item = item_with(occurred_at="2026-01-05T10:00:00Z", sent_at="2026-01-05T10:30:00Z")
    data = accepted(item, terms_with(corrects_skew=False)).data
    assert data.effective_at == data.occurred_at
    assert data.sent_at is not None
    assert data.flags == ()


def test_the_skew_a_source_believes_is_its_own_setting() -> None:
    item = item_with(occurred_at="2026-01-05T10:00:00Z", sent_at="2026-01-05T11:00:00Z")
    data = accepted(item, terms_with(SourceSettings(skew_limit=60_000_000))).data
    assert data.effective_at == data.occurred_at
    assert data.flags == ("skew_ignored",)


def test_nul_is_replaced_wherever_it_stands_and_the_item_flagged() -> None:
    raw = (
        rb'{"event_id": "e\u0000", "type": "x", "customer": {"k": "u\u0000"}, "text": "\u0000",'
        rb' "properties": {"a\u0000": ["\u0000"]}, "traits": {"\u0000": 1}}'
    )
    record = accepted(raw)
    assert record.id == "e\ufffd"
    assert record.data.identifiers == ("k:u\ufffd",)
    assert record.data.properties == {"a\ufffd": ["\ufffd"]}
    assert record.data.traits == {"\ufffd": 1}
    assert record.data.text == "\ufffd"
    assert record.data.flags == ("nul_replaced",)


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    record = accepted(rb'{"type": "x", "event_id": "e", "customer": {"k": "\\u0000"}}')
    assert record.data.identifiers == (r"k:\u0000",)
    assert record.data.flags == ()


def test_an_item_is_measured_in_bytes_as_sent() -> None:
    bare = as_json(item_with(text=""))
    at_the_limit = bare[:-2] + b"x" * (32 * 1024 - len(bare)) + bare[-2:]
    assert len(at_the_limit) == 32 * 1024
    accepted(at_the_limit)
    assert faults_of(at_the_limit + b" ") == [("", "item_too_large")]


def test_a_refused_item_is_kept_with_its_reasons_and_first_bytes() -> None:
    raw = as_json(item_with(event_id="big", text="x" * 100_000))
    record = rejected(raw)
    assert record.id == "00000000-0000-0000-0000-000000000001"
    assert record.source == "/sources/shop"
    assert record.data.event_id == "big"
    assert record.data.raw == raw[:65_536]
    assert record.data.raw_length == len(raw)
    assert record.data.raw_sha256 == hashlib.sha256(raw).hexdigest()
    assert record.data.received_at == datetime_of(NOW)
    assert record.data.channel is Channel.WEB
    assert record.data.message == "the item must be at most 32768 bytes"


@pytest.mark.parametrize(
    ("raw", "event_id"),
    [
        (b'{"event_id": "e", "type": 5}', "e"),
        (rb'{"event_id": "e\u0000", "type": 5}', "e\ufffd"),
        (b'{"event_id": 5}', None),
        (as_json({"event_id": "x" * 201}), None),
        (b'["e"]', None),
        (rb'{"event_id": "\ud800"}', None),
    ],
)
def test_a_refused_item_keeps_the_event_id_that_it_plainly_gave(
    raw: bytes, event_id: str | None
) -> None:
    assert rejected(raw).data.event_id == event_id


def test_two_equal_items_without_id_and_time_are_two() -> None:
    terms = terms_with()
    item: JsonObject = {"type": "click", "customer": {"user_id": "u"}}
    first, second = accepted(item, terms), accepted(item, terms)
    assert first.id != second.id
    assert first.data.flags == second.data.flags == ("id_assigned",)


def test_an_item_may_be_handed_in_by_its_members_and_is_judged_by_the_same_rules() -> None:
    members: JsonObject = {"type": "store_sale", "customer": {"k": "u\0"}, **NULLS}
    assert accept(members, terms_with()) == accepted(members)
    too_deep = item_with(properties=nested(40))
    with pytest.raises(Invalid) as refused:
        accept(too_deep, terms_with())
    assert refused.value.faults == rejected(too_deep).data.errors


def test_equal_rows_of_a_file_are_as_many_touchpoints() -> None:
    row: JsonObject = {
        "type": "sale",
        "customer": {"k": "u"},
        "occurred_at": "2026-01-05T10:00:00Z",
    }
    first, second = (accept(row, terms_with(), ordinal=ordinal) for ordinal in (0, 1))
    assert first.id != second.id
    assert first == accepted(row)
