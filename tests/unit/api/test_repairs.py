from uuid import UUID

import msgspec
import pytest

from services.api.repairs import Held, Repair, judged_anew, merged, parsed, repaired
from shared.acceptance.terms import Terms
from shared.errors import Invalid
from shared.identity.policy_documents import default_policy
from shared.instants import DAY, datetime_of
from shared.sources import Source
from shared.touchpoints import Channel, JsonObject, JsonValue

ID = UUID(int=7)
TERMS = Terms(
    source=Source("till", Channel.IN_STORE),
    policy=default_policy(),
    received_at=20_000 * DAY,
    new_id=lambda: ID,
)


def raw_of(value: JsonValue) -> bytes:
    return msgspec.json.encode(value)


def mended(value: JsonValue, repair: Repair) -> object:
    raw = raw_of(value)
    return msgspec.json.decode(repaired(Held(raw, len(raw)), repair))


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [  # the examples of RFC 7396, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_do_what_the_standard_says(
    target: JsonValue, patch: JsonValue, expected: JsonValue
) -> None:
    assert merged(target, patch) == expected


def test_an_item_without_a_repair_stays_as_it_was_sent() -> None:
    assert repaired(Held(b'{"a"', 4), Repair()) == b'{"a"'


def test_a_value_moves_to_the_member_it_belongs_into() -> None:
    sent: JsonObject = {"properties": {"card": "L-9", "value": 3}, "type": "sale"}
    repair = Repair(move={"properties.card": "customer.loyalty_id", "not.there": "text"})
    assert mended(sent, repair) == {
        "properties": {"value": 3},
        "type": "sale",
        "customer": {"loyalty_id": "L-9"},
    }


def test_a_patch_sees_what_was_moved() -> None:
    repair = Repair(move={"kind": "type"}, patch={"type": "order_completed"})
    assert mended({"kind": "sale"}, repair) == {"type": "order_completed"}


def test_what_was_kept_in_part_or_is_no_object_needs_a_whole_item() -> None:
    for raw, length in ((b'{"a": 1}', 70_000), (b"[1]", 3), (b"{", 1)):
        with pytest.raises(Invalid) as caught:
            repaired(Held(raw, length), Repair(patch={}))
        assert caught.value.code == "needs_item"
    assert repaired(Held(b"{", 1), Repair(item={"a": 1})) == b'{"a":1}'


def test_of_another_format_the_touchpoint_that_was_read_out_of_it_is_repaired() -> None:
    held = Held(b'{"userId": ""}', 14, "segment", raw_of({"type": "visit", "customer": {}}))
    repair = Repair(patch={"customer": {"user_id": "u1"}})
    whole = {"type": "visit", "customer": {"user_id": "u1"}}
    assert msgspec.json.decode(repaired(held, repair)) == whole
    assert repaired(held, Repair()) == held.item


@pytest.mark.parametrize(
    "repair", [Repair(item={"a": 1}, patch={"a": 2}), Repair(item={"a": 1}, move={"a": "b"})]
)
def test_a_whole_item_stands_alone(repair: Repair) -> None:
    with pytest.raises(Invalid, match="item must stand alone"):
        repaired(Held(b"{}", 2), repair)


def test_what_could_not_be_read_as_a_touchpoint_needs_a_whole_item_even_unrepaired() -> None:
    held = Held(b'{"id": "evt_1"}', 15, "stripe")
    for repair in (Repair(), Repair(patch={"type": "sale"}), Repair(move={"id": "event_id"})):
        with pytest.raises(Invalid, match="came as stripe") as caught:
            repaired(held, repair)
        assert caught.value.code == "needs_item"
    assert repaired(held, Repair(item={"a": 1})) == b'{"a":1}'


def test_a_repaired_item_keeps_its_time_and_says_what_it_comes_from() -> None:
    item = raw_of({"event_id": "e1", "type": "sale", "customer": {"loyalty_id": "L-9"}})
    record = judged_anew(ID, item, TERMS)
    assert (record.id, record.sender, record.data.redrive_of) == ("e1", "till", ID)
    assert record.data.received_at == record.data.effective_at == datetime_of(20_000 * DAY)


def test_an_item_without_id_and_time_is_called_by_its_quarantine_id() -> None:
    item = raw_of({"type": "sale", "customer": {"loyalty_id": "L-9"}})
    assert judged_anew(ID, item, TERMS).id == str(ID)


@pytest.mark.parametrize("item", [b"{", b"[]", b'{"type": "sale"}'])
def test_what_is_still_wrong_is_told_with_its_faults(item: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        judged_anew(ID, item, TERMS)
    assert caught.value.code == "still_wrong"
    assert caught.value.faults


def test_bytes_that_are_no_json_parse_to_nothing() -> None:
    assert [parsed(raw) for raw in (b"{", b"\xff", b"[" * 100_000)] == [None, None, None]
