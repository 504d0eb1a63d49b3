from collections.abc import Iterable

import pytest

from services.ingest.channels.answers import taken
from services.ingest.channels.contract import Document, Ignored, Read, Refused
from services.ingest.channels.judging import judge_reads
from shared.errors import Unreadable
from shared.records import RAW_KEPT_BYTES, Record, RejectedRecord, TouchpointRecord
from shared.touchpoints import JsonObject
from tests.strategies.items import item_with, nested, terms_with


def judged(*reads: Read) -> list[Record | Ignored]:
    return list(judge_reads(reads, terms_with()))


def rejected(read: Read) -> RejectedRecord:
    (record,) = judged(read)
    assert isinstance(record, RejectedRecord), record
    return record


def test_a_document_is_judged_like_a_native_item() -> None:
    (record,) = judged(Document(item_with(customer={"email": " Ana@Example.com "}), b"raw"))
    assert isinstance(record, TouchpointRecord)
    assert (record.sender, record.id) == ("shop", "e-1")
    assert record.data.identifiers == ("email:ana@example.com",)


def test_a_refused_document_keeps_its_raw_bytes_and_its_id() -> None:
    record = rejected(Document(item_with(customer={}), b"raw bytes as sent"))
    assert (record.data.reason, record.data.event_id) == ("required", "e-1")
    assert record.data.raw == b"raw bytes as sent"


def test_what_an_adapter_refuses_goes_to_the_quarantine_in_its_words() -> None:
    record = rejected(Refused("no_customer", "customer must be named", b"{}", "customer", "v-1"))
    assert (record.data.reason, record.data.message) == ("no_customer", "customer must be named")
    assert [(fault.path, fault.code) for fault in record.data.errors] == [
        ("customer", "no_customer")
    ]
    assert record.data.event_id == "v-1"


@pytest.mark.parametrize("event_id", ["x" * 201, "", "a\0b", "\ud800"])
def test_whatever_an_adapter_takes_for_an_id_can_be_stored(event_id: str) -> None:
    record = rejected(Refused("wrong", "is wrong", b"{}", event_id=event_id))
    assert record.data.event_id in {None, "a\ufffdb", "?"}


def test_what_is_ignored_makes_no_record() -> None:
    ignored = Ignored("unknown_event")
    assert judged(ignored, ignored) == [ignored, ignored]


def test_a_large_payload_with_a_small_touchpoint_in_it_is_accepted() -> None:
    (record,) = judged(Document(item_with(), b"x" * 600_000))
    assert isinstance(record, TouchpointRecord)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"text": "x" * 40_000}, "item_too_large"),
        ({"text": "\ud800"}, "lone_surrogate"),
        ({"properties": nested(5_000)}, "too_deep"),
    ],
)
def test_a_large_payload_with_a_wrong_touchpoint_in_it_is_refused(
    members: JsonObject, reason: str
) -> None:
    record = rejected(Document(item_with(**members), b"x" * 600_000))
    assert record.data.reason == reason
    assert (len(record.data.raw), record.data.raw_length) == (RAW_KEPT_BYTES, 600_000)


def test_an_error_of_the_delivery_voids_it_as_a_whole() -> None:
    def broken() -> Iterable[Read]:
        yield Document(item_with(), b"{}")
        raise Unreadable("the rest is cut off")

    with pytest.raises(Unreadable):
        list(judge_reads(broken(), terms_with()))


def test_the_answer_counts_what_was_accepted_and_says_why_the_rest_was_not() -> None:
    answer = taken(
        judged(
            Ignored("unknown_event"),
            Document(item_with(), b"{}"),
            Refused("wrong", "is wrong", b"{}"),
        )
    )
    assert (answer.success, answer.accepted) == (True, 1)
    assert [(entry.index, entry.code) for entry in answer.rejected] == [(2, "wrong")]
