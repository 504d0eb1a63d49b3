"""Laws of acceptance, over items and bodies of every shape."""

import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.acceptance.bodies import split
from shared.acceptance.faults import Findings
from shared.acceptance.items import judge
from shared.acceptance.native import read_item, read_members
from shared.acceptance.reasons import Reason
from shared.acceptance.requests import judge_all
from shared.acceptance.verdicts import verdict_on
from shared.errors import Invalid, TooLarge, Unreadable
from shared.records import Record, RejectedRecord, TouchpointRecord, decode, encode
from shared.touchpoints import JsonObject, JsonValue
from tests.fixtures.storable import assert_storable
from tests.strategies.items import as_json, items, json_values, terms_with

all_values = st.one_of(items, json_values, st.lists(items, max_size=3))
bodies = st.one_of(
    all_values.map(as_json),
    all_values.map(lambda value: json.dumps({"touchpoints": value}, indent=1).encode()),
    st.lists(items, max_size=3).map(lambda values: b"\n".join(map(as_json, values))),
    st.binary(max_size=80),
    st.builds(lambda body, end: as_json(body)[:end], all_values, st.integers(0, 200)),
)


def records_of(body: bytes) -> list[Record]:
    try:
        return list(judge_all(split(body), terms_with()))
    except (Unreadable, TooLarge):
        return []


@given(bodies)
def test_any_body_is_judged_or_refused_with_an_error_of_the_tree(body: bytes) -> None:
    records_of(body)


@given(bodies)
@example(b'{"type": "x", "customer": {"k": "u"}, "properties": {"n": 1E2, "m": -0.0}}')
def test_every_record_reads_back_as_it_was_written(body: bytes) -> None:
    for record in records_of(body):
        assert decode(encode(record)) == record


@given(items)
def test_whatever_is_accepted_can_be_stored_by_everything_behind(item: JsonObject) -> None:
    record = judge(as_json(item), terms_with())
    if isinstance(record, RejectedRecord):
        return
    assert_storable(record)


@given(items)
def test_whatever_is_refused_says_why_in_codes_that_are_listed(item: JsonObject) -> None:
    record = judge(as_json(item), terms_with())
    if isinstance(record, TouchpointRecord):
        return
    assert record.data.errors
    assert {record.data.reason, *(fault.code for fault in record.data.errors)} <= set(Reason)
    msgspec.json.decode(encode(record))


@given(st.one_of(items, json_values))
def test_the_quick_and_the_careful_way_of_reading_an_item_agree(value: JsonValue) -> None:
    quick, careful = Findings(), Findings()
    if not isinstance(value, dict):
        with pytest.raises(Invalid):
            read_item(as_json(value), quick)
        return
    try:
        expected = read_members(value, careful)
    except Invalid:
        with pytest.raises(Invalid):
            read_item(as_json(value), quick)
    else:
        assert read_item(as_json(value), quick) == expected
        assert quick == careful


@given(bodies)
def test_the_verdict_names_every_item_in_order_and_counts_them(body: bytes) -> None:
    records = records_of(body)
    verdict = verdict_on("shop", records)
    assert [result.index for result in verdict.results] == list(range(len(records)))
    assert verdict.accepted + verdict.rejected == len(records)
    for result, record in zip(verdict.results, records, strict=True):
        if isinstance(record, TouchpointRecord):
            assert (result.status, result.event_id) == ("accepted", record.id)
            assert result.code is None
        else:
            assert (result.status, result.quarantine_id) == ("rejected", record.id)
            assert result.code == record.data.reason


@given(st.lists(items, min_size=1, max_size=4), st.data())
def test_an_item_is_judged_the_same_in_every_form_of_body(
    several: list[JsonObject], data: st.DataObject
) -> None:
    lines = [as_json(item) for item in several]
    array = b"[" + b",".join(lines) + b"]"
    forms = [array, b'{"touchpoints":' + array + b"}"]
    if len(lines) > 1:
        forms.append(b"\n".join(lines))
    one, other = (records_of(data.draw(st.sampled_from(forms))) for _ in range(2))
    assert one == other
    assert len(one) == len(several)


def test_an_item_that_is_not_json_refuses_the_whole_request_unless_it_is_a_line() -> None:
    good, bad = b'{"type": "x", "customer": {"k": "u"}}', b'{"type": "\xff"}'
    assert records_of(b"[" + good + b"," + bad + b"]") == []
    first, second = records_of(good + b"\n" + bad)
    assert isinstance(first, TouchpointRecord)
    assert isinstance(second, RejectedRecord)
    assert second.data.reason == "bad_json"
    assert second.data.raw == bad
