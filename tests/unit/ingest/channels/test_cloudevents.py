"""CloudEvents 1.0 as they are read (the public contract, section 4.3)."""

import base64
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels.cloudevents import header_value, read_cloudevents
from services.ingest.channels.contract import Delivery, Ignored, Misfit
from services.ingest.channels.judging import judge_reads
from shared.errors import TooLarge, Unreadable, UnsupportedMedia
from shared.instants import instant_of, rfc3339
from shared.records import Record, RejectedRecord, TouchpointRecord
from shared.touchpoints import Channel, JsonObject, JsonValue
from tests.strategies.items import NOW, as_json, json_values, nested, source_with, terms_with, texts

EVENT: JsonObject = {
    "specversion": "1.0",
    "id": "rcpt-1001",
    "source": "/pos/berlin-01",
    "type": "com.acme.store.purchase",
    "subject": "user_42",
}
BINARY: Mapping[str, str] = {f"ce-{name}": str(value) for name, value in EVENT.items()}
STRUCTURED: Mapping[str, str] = {"content-type": "application/cloudevents+json"}
BATCHED: Mapping[str, str] = {"content-type": "application/cloudevents-batch+json"}


def records_of(body: JsonValue, headers: Mapping[str, str]) -> list[Record]:
    content = body if isinstance(body, bytes) else as_json(body)
    fields = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    delivery = Delivery(content, fields, ("v1", "cloudevents"), b"", NOW, source_with())
    judged = list(judge_reads(read_cloudevents(delivery), terms_with()))
    return [record for record in judged if not isinstance(record, Ignored)]


def accepted(body: JsonValue, headers: Mapping[str, str] = STRUCTURED) -> TouchpointRecord:
    (record,) = records_of(body, headers)
    assert isinstance(record, TouchpointRecord), record
    return record


def rejected(body: JsonValue, headers: Mapping[str, str] = STRUCTURED) -> RejectedRecord:
    (record,) = records_of(body, headers)
    assert isinstance(record, RejectedRecord), record
    return record


class TestModes:
    @pytest.mark.parametrize(
        "media",
        [
            "application/cloudevents+json",
            "Application/CloudEvents+JSON; charset=utf-8",
            "application/json",
            'application/json;charset="UTF-8"',
        ],
    )
    def test_a_structured_event_is_one_object(self, media: str) -> None:
        record = accepted({**EVENT, "data": {"amount": 99.5}}, {"content-type": media})
        assert record.id == "/pos/berlin-01#rcpt-1001"
        assert record.data.type == "com.acme.store.purchase"
        assert record.data.identifiers == ("user_id:user_42",)
        assert record.data.properties == {"amount": 99.5}

    @pytest.mark.parametrize(
        "media", ["application/cloudevents-batch+json; charset=utf-8", "application/json"]
    )
    def test_a_batch_is_an_array(self, media: str) -> None:
        batch = [EVENT, {**EVENT, "id": "2"}]
        records = records_of(batch, {"content-type": media})
        assert [record.id for record in records] == ["/pos/berlin-01#rcpt-1001", "/pos/berlin-01#2"]

    @pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", None])
    def test_a_binary_event_has_its_attributes_in_headers(self, content_type: str | None) -> None:
        media = {} if content_type is None else {"content-type": content_type}
        record = accepted(b'{"amount": 99.5}', {**BINARY, **media, "ce-dcterms": "x%20y%20%C3%A9"})
        assert record.id == "/pos/berlin-01#rcpt-1001"
        assert record.data.properties == {"amount": 99.5}
        remembered = record.data.context["cloudevent"]
        assert isinstance(remembered, dict)
        assert remembered["dcterms"] == "x y é"

    def test_a_binary_event_may_have_no_data(self) -> None:
        assert accepted(b"", BINARY).data.properties == {}

    def test_an_array_without_events_is_nothing(self) -> None:
        assert records_of([], BATCHED) == []

    @pytest.mark.parametrize(
        "media",
        [
            "application/cloudevents",
            "application/cloudevents+avro",
            "application/cloudevents-batch+xml",
            "text/xml",
            "application/json; charset=utf-16",
        ],
    )
    def test_other_formats_are_not_read(self, media: str) -> None:
        with pytest.raises(UnsupportedMedia):
            records_of(EVENT, {"content-type": media})

    def test_the_media_type_goes_before_headers_of_a_binary_event(self) -> None:
        assert accepted(EVENT, {**BINARY, "ce-id": "other", **STRUCTURED}).id.endswith("rcpt-1001")


class TestHeaders:
    @pytest.mark.parametrize(
        ("sent", "meant"),
        [
            (b"plain", "plain"),
            (b"x%20y%20%C3%A9", "x y é"),
            (b'"quoted text"', "quoted text"),
            (rb'"say \"hi\" \\ %41"', 'say "hi" \\ A'),
            (b"Euro %E2%82%AC %F0%9F%98%80", "Euro \u20ac \U0001f600"),
            (b"%e2%82%ac", "\u20ac"),
            (b"%2541", "%41"),
            (b"100%", "100%"),
            (b"%G1", "%G1"),
            (b"", ""),
        ],
    )
    def test_values_are_unquoted_and_percent_decoded_once(self, sent: bytes, meant: str) -> None:
        assert header_value(sent) == meant

    @pytest.mark.parametrize(
        "sent", [b"%C0%A0", b"%ED%A0%80", b"%FF", b"%E2%82", b"\xff", b'"no end', rb'"no end\"']
    )
    def test_what_is_no_utf_8_is_refused(self, sent: bytes) -> None:
        with pytest.raises(Misfit):
            header_value(sent)
        with pytest.raises(Unreadable) as caught:
            records_of(b"{}", {**BINARY, "ce-subject": sent.decode("latin-1")})
        assert caught.value.code == "bad_event"

    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def test_whatever_is_encoded_comes_back(self, text: str) -> None:
        encoded = "".join(
            character if character.isalnum() and character.isascii() else
            "".join(f"%{byte:02X}" for byte in character.encode())
            for character in text
        )  # fmt: skip
        assert header_value(encoded.encode()) == text


class TestMapping:
    def test_an_id_that_is_too_long_is_its_digest(self) -> None:
        record = accepted({**EVENT, "id": "x" * 200})
        assert len(record.id) == 64
        assert record.id == accepted({**EVENT, "id": "x" * 200}).id
        assert record.id != accepted({**EVENT, "id": "x" * 201}).id

    def test_data_names_the_customer_where_the_subject_does_not(self) -> None:
        data = {
            "customer_id": "c-1",
            "email": "Ana@Example.com",
            "phone": "+4930123456",
            "customer": {"loyalty_id": "L-9", "user_id": "other"},
        }
        named = accepted({**EVENT, "data": data}).data.identifiers
        assert set(named) == {
            "user_id:user_42",
            "email:ana@example.com",
            "phone:+4930123456",
            "loyalty_id:L-9",
        }
        nameless = accepted({**EVENT, "subject": None, "data": data}).data.identifiers
        assert "user_id:c-1" in nameless

    def test_the_channel_is_what_the_data_or_an_extension_say(self) -> None:
        assert accepted(EVENT).data.channel is Channel.WEB
        assert accepted({**EVENT, "data": {"channel": "in_store"}}).data.channel is Channel.IN_STORE
        assert accepted({**EVENT, "channel": "email"}).data.channel is Channel.EMAIL
        assert accepted({**EVENT, "channel": "organic"}).data.channel is Channel.WEB

    def test_its_time_is_when_it_happened(self) -> None:
        record = accepted({**EVENT, "time": "2026-01-05T10:00:00+01:00"})
        assert rfc3339(instant_of(record.data.effective_at)) == "2026-01-05T09:00:00Z"
        assert instant_of(accepted(EVENT).data.effective_at) == NOW

    @pytest.mark.parametrize(
        ("members", "properties"),
        [
            ({"data": None}, {}),
            ({"data": [1]}, {"data": [1]}),
            ({"data": "text"}, {"data": "text"}),
            ({"data": 0}, {"data": 0}),
            ({"data_base64": base64.b64encode(b'{"a": 1}').decode()}, {"a": 1}),
            (
                {"data_base64": "/w==", "datacontenttype": "image/png"},
                {"data": "/w=="},
            ),
            (
                {
                    "data_base64": base64.b64encode(b'{"a": 1}').decode(),
                    "datacontenttype": "text/plain",
                },
                {"data": '{"a": 1}'},
            ),
            ({"data": {"a": 1}, "datacontenttype": "2026-01-05T10:00:00Z"}, {"a": 1}),
        ],
    )
    def test_data_are_the_properties(self, members: JsonObject, properties: JsonObject) -> None:
        assert accepted({**EVENT, **members}).data.properties == properties


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "members",
        [
            {"specversion": "0.3"},
            {"specversion": None},
            {"id": None},
            {"id": ""},
            {"id": 5},
            {"source": None},
            {"type": ""},
            {"subject": 5},
            {"time": 5},
            {"time": "yesterday"},
            {"time": "2026-13-01T00:00:00Z"},
            {"data_base64": "not base64!"},
            {"data_base64": 5},
            {"data": 1, "data_base64": "AA=="},
            {"data_base64": "AA==", "datacontenttype": "application/json"},
        ],
    )
    def test_what_is_no_event_is_refused_as_a_request_and_alone_in_a_batch(
        self, members: JsonObject
    ) -> None:
        wrong = {**EVENT, **members}
        for body in (wrong, [wrong]):
            with pytest.raises(Unreadable) as caught:
                records_of(body, {"content-type": "application/json"})
            assert caught.value.code == "bad_event"
        bad, good = records_of([wrong, EVENT], BATCHED)
        assert isinstance(bad, RejectedRecord)
        assert isinstance(good, TouchpointRecord)

    @pytest.mark.parametrize("missing", ["ce-id", "ce-source", "ce-type", "ce-specversion"])
    def test_a_binary_event_needs_its_headers(self, missing: str) -> None:
        headers = {name: value for name, value in BINARY.items() if name != missing}
        with pytest.raises(Unreadable):
            records_of(b"{}", headers)

    @pytest.mark.parametrize(
        ("body", "headers"),
        [
            (b"nope", STRUCTURED),
            (b"", STRUCTURED),
            (b"5", STRUCTURED),
            (b'{"a": NaN}', STRUCTURED),
            (as_json(EVENT), BATCHED),
            (as_json(EVENT) + b"\n" + as_json(EVENT), {"content-type": "application/json"}),
            (b"nope", {**BINARY, "content-type": "application/json"}),
        ],
    )
    def test_a_body_that_cannot_be_read_is_refused(
        self, body: bytes, headers: Mapping[str, str]
    ) -> None:
        with pytest.raises(Unreadable):
            records_of(body, headers)

    def test_an_event_of_nobody_goes_to_the_quarantine(self) -> None:
        record = rejected({**EVENT, "subject": None})
        assert (record.data.reason, record.data.event_id) == (
            "required",
            "/pos/berlin-01#rcpt-1001",
        )

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (as_json(nested(40)), "too_deep"),
            (b'{"a":' * 3_000 + b"1" + b"}" * 3_000, "too_deep"),
            (as_json({"a": 2**64}), "number_out_of_range"),
            (as_json({"a": "\ud800"}), "lone_surrogate"),
            (as_json({"a": "x" * 40_000}), "item_too_large"),
        ],
    )
    def test_data_over_a_limit_go_to_the_quarantine(self, data: bytes, reason: str) -> None:
        event = as_json({**EVENT, "data": "DATA"}).replace(b'"DATA"', data)
        assert rejected(event).data.reason == reason
        assert rejected(data, BINARY).data.reason == reason

    def test_there_are_at_most_a_thousand_events(self) -> None:
        assert len(records_of([EVENT] * 1_000, BATCHED)) == 1_000
        with pytest.raises(TooLarge):
            records_of([EVENT] * 1_001, BATCHED)


_names = st.sampled_from([*EVENT, "time", "data", "data_base64", "datacontenttype", "channel"])
hostile_events = st.one_of(
    json_values,
    st.builds(
        lambda hostile: {**EVENT, **hostile},
        st.dictionaries(_names, st.one_of(json_values, texts), max_size=3),
    ),
)


@given(st.lists(hostile_events, max_size=3))
def test_every_event_of_a_batch_ends_as_one_record_whatever_it_holds(
    events: list[JsonValue],
) -> None:
    assert len(records_of([EVENT, *events], BATCHED)) == len(events) + 1


_header = st.binary(max_size=20).filter(lambda value: b"\r" not in value and b"\n" not in value)


@given(st.dictionaries(st.sampled_from([*BINARY, "ce-time", "ce-x"]), _header), st.binary())
def test_a_binary_event_of_any_bytes_is_one_record_or_cannot_be_read(
    headers: Mapping[str, bytes], body: bytes
) -> None:
    sent = {**BINARY, **{name: value.decode("latin-1") for name, value in headers.items()}}
    try:
        assert len(records_of(body, sent)) == 1
    except Unreadable as error:
        assert error.code == "bad_event"  # noqa: PT017 - both are right
