"""What goes to the quarantine of an item in another wire format: its bytes, and what was read."""

import msgspec

from services.ingest.channels.contract import Document, Refused
from services.ingest.channels.judging import judge_reads
from shared.acceptance.native import Given
from shared.acceptance.terms import Terms
from shared.identity.policy_documents import default_policy
from shared.records import RAW_KEPT_BYTES, RejectedData, RejectedRecord
from shared.touchpoints import JsonObject
from tests.strategies.items import NOW, numbered_ids, source_with

TERMS = Terms(source_with(), default_policy(), NOW, numbered_ids(), format="segment")
NAMELESS: JsonObject = {"type": "visit", "customer": {}}


def refused(read: Document | Refused) -> RejectedData:
    [record] = judge_reads([read], TERMS)
    assert isinstance(record, RejectedRecord)
    return record.data


def test_a_refused_item_keeps_the_touchpoint_that_was_read_out_of_it() -> None:
    data = refused(Document(NAMELESS, b"as sent"))
    assert (data.format, data.raw) == ("segment", b"as sent")
    assert data.item is not None
    assert msgspec.json.decode(data.item) == NAMELESS
    given = refused(Document(Given(type="visit", customer={}), b"as sent"))
    assert given.item == data.item


def test_what_came_in_the_native_form_is_kept_once() -> None:
    data = refused(Document(NAMELESS, msgspec.json.encode(NAMELESS)))
    assert (data.format, data.item) == (None, None)


def test_what_could_not_be_read_has_no_touchpoint() -> None:
    data = refused(Refused("no_user", "there is no user", b"as sent"))
    assert (data.format, data.item) == ("segment", None)


def test_a_touchpoint_that_is_too_long_or_no_json_is_left_out() -> None:
    long: JsonObject = {**NAMELESS, "text": "x" * RAW_KEPT_BYTES}
    broken: JsonObject = {**NAMELESS, "text": "\ud800"}
    for item in (long, broken):
        assert refused(Document(item, b"as sent")).item is None
