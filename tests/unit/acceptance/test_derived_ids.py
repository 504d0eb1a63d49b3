import hashlib
import json

from hypothesis import given

from shared.acceptance.derived_ids import derived_id
from shared.touchpoints import JsonObject, JsonValue
from tests.strategies.items import accepted, plain_items

ITEM: JsonObject = {
    "type": "store_sale",
    "occurred_at": "2026-01-05T10:00:00Z",
    "customer": {"loyalty_id": "L-9", "email": "ana@example.com"},
    "properties": {"value": 99.5, "lines": [{"sku": "1"}]},
}


def id_of(**changes: JsonValue) -> str:
    return accepted({**ITEM, **changes}).id


def reversed_members(value: JsonValue) -> JsonValue:
    match value:
        case list():
            return [reversed_members(member) for member in value]
        case dict():
            return {name: reversed_members(value[name]) for name in reversed(value)}
        case _:
            return value


def test_the_id_is_the_sha_256_of_the_canonical_content() -> None:
    canonical = json.dumps(
        {
            "channel": "web",
            "customer": {"email": "ana@example.com", "loyalty_id": "L-9"},
            "occurred_at": "2026-01-05T10:00:00Z",
            "properties": {"lines": [{"sku": "1"}], "value": 99.5},
            "source": "shop",
            "text": None,
            "traits": {},
            "type": "store_sale",
        },
        separators=(",", ":"),
    )
    assert id_of() == hashlib.sha256(canonical.encode()).hexdigest()


@given(plain_items)
def test_sending_again_gives_the_same_id_whatever_the_order_of_members(item: JsonObject) -> None:
    first = accepted(item)
    again = accepted(reversed_members(item))
    assert first.id == again.id
    assert "id_assigned" not in first.data.flags


def test_what_means_the_same_has_the_same_id() -> None:
    same = [
        id_of(channel="web"),
        id_of(channel=None, text=None, traits={}, event_id=None),
        id_of(occurred_at="2026-01-05T11:00:00.000+01:00"),
        id_of(customer={"email": " ANA@example.com", "loyalty_id": "L-9", "user_id": ""}),
        id_of(sent_at="2026-01-05T10:00:01Z", context={"ip": "203.0.113.9"}),
    ]
    assert set(same) == {id_of()}


def test_what_means_something_else_has_another_id() -> None:
    others = [
        id_of(),
        id_of(type="store_return"),
        id_of(channel="in_store"),
        id_of(occurred_at="2026-01-05T10:00:00.000001Z"),
        id_of(customer={"loyalty_id": "L-9"}),
        id_of(properties={"value": 99.4, "lines": [{"sku": "1"}]}),
        id_of(traits={"plan": "pro"}),
        id_of(text=""),
    ]
    assert len(set(others)) == len(others)


def test_integers_that_doubles_would_merge_keep_their_ids_apart() -> None:
    ids = {id_of(properties={"n": [2**53 + shift]}) for shift in range(4)}
    assert len(ids) == 4
    assert derived_id({"n": 1}) == derived_id({"n": 1.0})


def test_equal_rows_of_a_file_differ_by_their_ordinal_and_the_first_is_as_sent_alone() -> None:
    content: JsonObject = {"type": "store_sale"}
    ids = [derived_id(content, ordinal=ordinal) for ordinal in range(3)]
    assert len(set(ids)) == 3
    assert ids[0] == derived_id(content)
