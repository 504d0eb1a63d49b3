"""The Segment Tracking API as it is read (the public contract, section 4.2)."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels.contract import Delivery, Ignored
from services.ingest.channels.judging import judge_reads
from services.ingest.channels.segment import MOST_MESSAGES, read_segment, write_key_in
from shared.errors import TooLarge, Unreadable
from shared.instants import instant_of as instant
from shared.instants import parse_rfc3339, rfc3339
from shared.records import Record, RejectedRecord, TouchpointRecord
from shared.sources import Links, SourceSettings
from shared.touchpoints import Channel, JsonObject, JsonValue
from tests.strategies.items import NOW, as_json, json_values, nested, source_with, terms_with, texts

TRACK: JsonObject = {
    "type": "track",
    "event": "Order Completed",
    "userId": "u_42",
    "messageId": "m-1",
}


def delivered(body: JsonValue, route: str = "batch") -> Delivery:
    content = body if isinstance(body, bytes) else as_json(body)
    return Delivery(content, {}, ("v1", route), b"", NOW, source_with())


def records_of(
    body: JsonValue, route: str = "batch", settings: SourceSettings | None = None
) -> list[Record]:
    judged = list(judge_reads(read_segment(delivered(body, route)), terms_with(settings)))
    records = [record for record in judged if not isinstance(record, Ignored)]
    assert len(records) == len(judged)
    return records


def accepted(message: JsonObject, route: str = "batch", **members: JsonValue) -> TouchpointRecord:
    body = {"batch": [message], **members} if route == "batch" else message
    (record,) = records_of(body, route)
    assert isinstance(record, TouchpointRecord), record
    return record


def rejected(message: JsonValue) -> tuple[str, str]:
    (record,) = records_of({"batch": [message]})
    assert isinstance(record, RejectedRecord), record
    return record.data.reason, record.data.errors[0].path


class TestCalls:
    def test_track_is_a_touchpoint_of_the_type_that_the_event_names(self) -> None:
        record = accepted({**TRACK, "properties": {"value": 99.5, "currency": "EUR"}})
        assert (record.id, record.data.type) == ("m-1", "Order Completed")
        assert record.data.identifiers == ("user_id:u_42",)
        assert record.data.properties == {"value": 99.5, "currency": "EUR"}
        assert record.data.channel is Channel.WEB

    @pytest.mark.parametrize(
        ("kind", "touchpoint_type"), [("page", "page_viewed"), ("screen", "screen_viewed")]
    )
    def test_page_and_screen_are_views_with_their_name_and_category(
        self, kind: str, touchpoint_type: str
    ) -> None:
        message: JsonObject = {
            "type": kind,
            "anonymousId": "a-1",
            "name": "Pricing",
            "category": "Docs",
            "properties": {"url": "https://shop.example/", "name": "Own"},
        }
        record = accepted(message)
        assert record.data.type == touchpoint_type
        assert record.data.properties == {
            "url": "https://shop.example/",
            "name": "Own",
            "category": "Docs",
        }

    @pytest.mark.parametrize(
        "message",
        [
            {"traits": {"email": "Ana@Example.com", "phone": "+4930123456", "plan": "pro"}},
            {
                "context": {
                    "traits": {"email": "Ana@Example.com", "phone": "+4930123456", "plan": "pro"}
                }
            },
            {
                "traits": {"email": "Ana@Example.com", "plan": "pro"},
                "context": {"traits": {"phone": "+4930123456", "plan": "old"}},
            },
        ],
    )
    def test_identify_carries_traits_and_links_from_both_places(self, message: JsonObject) -> None:
        record = accepted({"type": "identify", "userId": "u_42", "anonymousId": "a-1", **message})
        assert record.data.type == "identify"
        assert set(record.data.identifiers) == {
            "user_id:u_42",
            "anonymous_id:a-1",
            "email:ana@example.com",
            "phone:+4930123456",
        }
        assert record.data.traits["plan"] == "pro"
        assert record.data.context == {}

    def test_a_group_names_an_account_and_never_a_person(self) -> None:
        record = accepted(
            {
                "type": "group",
                "userId": "u_42",
                "groupId": "g-1",
                "traits": {"name": "Acme", "email": "office@acme.example", "phone": "+4930123456"},
                "context": {"traits": {"email": "ana@example.com"}},
            }
        )
        assert record.data.type == "group"
        assert record.data.identifiers == ("user_id:u_42", "email:ana@example.com")
        assert record.data.traits == {"email": "ana@example.com"}
        assert record.data.properties == {
            "group_id": "g-1",
            "traits": {"name": "Acme", "email": "office@acme.example", "phone": "+4930123456"},
        }

    def test_an_alias_links_the_former_id_as_an_anonymous_one(self) -> None:
        record = accepted({"type": "alias", "userId": "u_42", "previousId": "a-1"})
        assert record.data.type == "alias"
        assert set(record.data.identifiers) == {"user_id:u_42", "anonymous_id:a-1"}

    def test_the_former_id_of_an_alias_goes_before_the_anonymous_id_beside_it(self) -> None:
        message: JsonObject = {
            "type": "alias",
            "userId": "u_42",
            "previousId": "a-1",
            "anonymousId": "a-2",
        }
        record = accepted(message)
        assert set(record.data.identifiers) == {"user_id:u_42", "anonymous_id:a-1"}
        assert record.data.context == {"anonymousId": "a-2"}

    @pytest.mark.parametrize(("user", "previous"), [("u_42", "u_42"), (42, "42"), ("u", " u ")])
    def test_an_alias_of_an_id_for_itself_links_nothing(
        self, user: JsonValue, previous: JsonValue
    ) -> None:
        record = accepted({"type": "alias", "userId": user, "previousId": previous})
        assert record.data.identifiers == (f"user_id:{user}",)

    @pytest.mark.parametrize("kind", ["track", "identify", "page", "screen", "group", "alias"])
    @pytest.mark.parametrize("letters", [1, None])
    def test_the_route_says_what_a_message_is_that_does_not(
        self, kind: str, letters: int | None
    ) -> None:
        message: JsonObject = {"event": "E", "userId": "u", "previousId": "p", "groupId": "g"}
        expected = {"track": "E", "page": "page_viewed", "screen": "screen_viewed"}
        record = accepted(message, kind[:letters])
        assert record.data.type == expected.get(kind, kind)

    def test_links_are_kept_for_identify_and_alias_where_the_source_says_so(self) -> None:
        settings = SourceSettings(links=Links.IDENTIFY_ONLY)
        batch = [TRACK, {**TRACK, "type": "identify"}, {**TRACK, "type": "group", "groupId": "g"}]
        records = records_of({"batch": batch}, settings=settings)
        told = [isinstance(record, TouchpointRecord) and record.data.links for record in records]
        assert told == [False, True, False]


class TestMembers:
    @pytest.mark.parametrize("absent", [None, "", " "])
    def test_ids_that_are_empty_are_absent(self, absent: JsonValue) -> None:
        record = accepted({**TRACK, "userId": absent, "anonymousId": "a-1"})
        assert record.data.identifiers == ("anonymous_id:a-1",)

    @pytest.mark.parametrize(
        ("number", "text"), [(42, "42"), (42.0, "42"), (4.5, "4.5"), (2**62, str(2**62))]
    )
    def test_numbers_are_ids_as_well(self, number: JsonValue, text: str) -> None:
        record = accepted({**TRACK, "userId": number, "messageId": number})
        assert record.data.identifiers == (f"user_id:{text}",)
        assert record.id in {text, str(number)}

    def test_a_message_without_an_id_has_one_that_follows_from_its_content(self) -> None:
        message: JsonObject = {
            "type": "track",
            "event": "E",
            "userId": "u",
            "timestamp": "2026-01-05T10:00:00Z",
        }
        first, again = accepted(message), accepted({**message, "messageId": ""})
        other = accepted({**message, "properties": {"a": 1}})
        assert first.id == again.id != other.id
        assert first.data.flags == ()

    def test_the_channel_is_the_sources_unless_the_message_names_one_of_ours(self) -> None:
        assert accepted({**TRACK, "channel": "server"}).data.channel is Channel.WEB
        assert accepted({**TRACK, "channel": "in_store"}).data.channel is Channel.WEB
        for place in ("properties", "context"):
            said = accepted({**TRACK, place: {"channel": "in_store"}})
            assert said.data.channel is Channel.IN_STORE
            odd = accepted({**TRACK, place: {"channel": "organic"}})
            assert odd.data.channel is Channel.WEB

    def test_what_stands_beside_the_batch_holds_for_each_message_that_does_not_say_otherwise(
        self,
    ) -> None:
        context = {"ip": "203.0.113.9", "locale": "de-DE", "traits": {"plan": "pro"}}
        own, other = records_of(
            {
                "batch": [{**TRACK, "context": {"locale": "en-US"}}, TRACK],
                "context": context,
                "integrations": {"All": True},
            }
        )
        assert isinstance(own, TouchpointRecord)
        assert isinstance(other, TouchpointRecord)
        assert own.data.context == {"ip": "203.0.113.9", "locale": "en-US"}
        assert other.data.context == {"ip": "203.0.113.9", "locale": "de-DE"}
        assert own.data.traits == other.data.traits == {"plan": "pro"}

    @pytest.mark.parametrize("empty", [[], "", None])
    def test_empty_objects_may_be_written_as_php_writes_them(self, empty: JsonValue) -> None:
        record = accepted({**TRACK, "properties": empty, "traits": empty, "context": empty})
        assert (record.data.properties, record.data.traits, record.data.context) == ({}, {}, {})

    def test_nul_is_replaced_and_flagged(self) -> None:
        record = accepted({**TRACK, "properties": {"a\0": "b\0"}})
        assert record.data.properties == {"a\ufffd": "b\ufffd"}
        assert record.data.flags == ("nul_replaced",)

    def test_an_email_that_is_too_long_to_be_one_stays_a_trait(self) -> None:
        record = accepted({**TRACK, "traits": {"email": "a" * 201, "phone": 5}})
        assert record.data.identifiers == ("user_id:u_42",)
        assert record.data.traits["phone"] == 5


class TestTimes:
    """Received at 12:00:00 on 2026-01-05."""

    def test_a_wrong_clock_is_corrected_by_the_time_of_sending(self) -> None:
        message = {**TRACK, "timestamp": "2026-01-05T09:00:00Z"}
        batch = accepted(message, sentAt="2026-01-05T11:00:00.000Z")
        single = accepted({**message, "sentAt": "2026-01-05T11:00:00Z"}, sentAt="2020-01-01")
        assert instant(batch.data.effective_at) == parse_rfc3339("2026-01-05T10:00:00Z")
        assert batch.data.effective_at == single.data.effective_at
        assert batch.data.occurred_at is not None
        assert instant(batch.data.occurred_at) == parse_rfc3339("2026-01-05T09:00:00Z")

    def test_the_original_timestamp_goes_before_the_other_one(self) -> None:
        record = accepted(
            {
                **TRACK,
                "originalTimestamp": "2026-01-05T09:00:00Z",
                "timestamp": "2026-01-05T09:30:00Z",
            }
        )
        assert instant(record.data.effective_at) == parse_rfc3339("2026-01-05T09:00:00Z")

    def test_without_a_time_of_sending_the_senders_clock_is_believed(self) -> None:
        record = accepted({**TRACK, "timestamp": "2026-01-05T09:00:00Z"})
        assert instant(record.data.effective_at) == parse_rfc3339("2026-01-05T09:00:00Z")

    def test_a_difference_of_more_than_a_day_is_no_skew(self) -> None:
        message = {**TRACK, "timestamp": "2026-01-01T09:00:00Z"}
        record = accepted(message, sentAt="2026-01-01T09:00:01Z")
        assert instant(record.data.effective_at) == parse_rfc3339("2026-01-01T09:00:00Z")
        assert record.data.flags == ("skew_ignored",)

    def test_the_future_is_clamped(self) -> None:
        record = accepted({**TRACK, "timestamp": "2026-01-05T15:00:00Z"})
        assert instant(record.data.effective_at) == parse_rfc3339("2026-01-05T12:05:00Z")

    def test_without_any_time_it_happened_when_it_was_received(self) -> None:
        record = accepted({**TRACK, "receivedAt": "2020-01-01T00:00:00Z"})
        assert instant(record.data.effective_at) == NOW
        assert record.data.occurred_at is None

    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            ("2015-2-02T00:30:08.276Z", "2015-02-02T00:30:08.276Z"),
            ("2025-12-08T00:30:08.276+00:00", "2025-12-08T00:30:08.276Z"),
            ("2025-12-08T00:30:08.276123+0200", "2025-12-07T22:30:08.276123Z"),
            ("2025-12-08 00:30:08", "2025-12-08T00:30:08Z"),
            ("2025-12-08T00:30", "2025-12-08T00:30:00Z"),
            ("2025-12-08", "2025-12-08T00:00:00Z"),
            (1765153808, "2025-12-08T00:30:08Z"),
            (1765153808276, "2025-12-08T00:30:08.276Z"),
        ],
    )
    def test_times_are_read_leniently(self, written: JsonValue, meant: str) -> None:
        record = accepted({**TRACK, "timestamp": written})
        assert record.data.occurred_at is not None
        assert rfc3339(instant(record.data.occurred_at)) == meant

    @pytest.mark.parametrize("odd", ["yesterday", "2026-13-45T00:00:00Z", {}, True])
    def test_a_time_of_sending_that_is_none_costs_only_the_correction(self, odd: JsonValue) -> None:
        message = {**TRACK, "timestamp": "2026-01-05T09:00:00Z"}
        assert accepted(message, sentAt=odd).data.sent_at is None


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("members", "refusal"),
        [
            ({"userId": None}, ("no_user_anon_id", "userId")),
            ({"event": None}, ("required", "event")),
            ({"event": " "}, ("required", "event")),
            ({"type": None}, ("required", "type")),
            ({"type": "purchase"}, ("invalid_value", "type")),
            ({"type": "alias"}, ("required", "previousId")),
            ({"type": "alias", "userId": "", "previousId": "p"}, ("required", "userId")),
            ({"userId": {"id": 1}}, ("invalid_type", "userId")),
            ({"userId": True}, ("invalid_type", "userId")),
            ({"userId": 2**63}, ("number_out_of_range", "userId")),
            ({"userId": "x" * 201}, ("too_long", "customer.user_id")),
            ({"messageId": "x" * 201}, ("too_long", "event_id")),
            ({"properties": "x"}, ("invalid_type", "properties")),
            ({"properties": nested(40)}, ("too_deep", "properties" + 31 * ".a")),
            ({"properties": {"a": "\ud800"}}, ("lone_surrogate", "properties.a")),
            ({"properties": {"a": 2**64}}, ("number_out_of_range", "properties.a")),
            ({"properties": {"a": "x" * 40_000}}, ("item_too_large", "")),
            ({"timestamp": "yesterday"}, ("invalid_time", "timestamp")),
            ({"timestamp": "2026-13-01T00:00:00Z"}, ("invalid_time", "occurred_at")),
        ],
    )
    def test_a_message_that_makes_no_sense_is_refused_alone(
        self, members: JsonObject, refusal: tuple[str, str]
    ) -> None:
        message = {**TRACK, **members}
        assert rejected(message) == refusal
        good, bad, other = records_of({"batch": [TRACK, message, TRACK]})
        assert isinstance(good, TouchpointRecord)
        assert isinstance(bad, RejectedRecord)
        assert isinstance(other, TouchpointRecord)

    @pytest.mark.parametrize("message", [5, "x", None, [], [TRACK]])
    def test_what_is_no_object_is_refused_alone(self, message: JsonValue) -> None:
        assert rejected(message) == ("not_an_object", "")

    def test_a_refused_message_keeps_its_bytes_and_its_id(self) -> None:
        message = {**TRACK, "userId": None}
        (record,) = records_of({"batch": [message]})
        assert isinstance(record, RejectedRecord)
        assert (record.data.raw, record.data.event_id) == (as_json(message), "m-1")

    def test_a_message_that_is_nested_without_end_is_refused_alone(self) -> None:
        deep = b'{"a":' * 5_000 + b"1" + b"}" * 5_000
        body = b'{"sentAt": null, "batch": [' + as_json(TRACK) + b"," + deep + b'], "x": [[1]]}'
        good, bad = records_of(body)
        assert isinstance(good, TouchpointRecord)
        assert isinstance(bad, RejectedRecord)
        assert bad.data.reason == "too_deep"

    def test_bytes_that_are_no_text_are_refused_alone(self) -> None:
        body = b'{"batch": [' + as_json(TRACK) + b', {"event": "\xff", "userId": "u"}]}'
        good, bad = records_of(body)
        assert isinstance(good, TouchpointRecord)
        assert isinstance(bad, RejectedRecord)
        assert bad.data.reason == "bad_json"

    def test_a_context_that_is_wrong_refuses_the_messages_and_not_the_batch(self) -> None:
        (record,) = records_of({"batch": [TRACK], "context": {"a": 2**64}})
        assert isinstance(record, RejectedRecord)
        assert record.data.errors[0].path == "context"

    @pytest.mark.parametrize("context", [None, [], "", 5, {}])
    def test_a_context_that_says_nothing_says_nothing(self, context: JsonValue) -> None:
        assert accepted(TRACK, context=context).data.context == {}


class TestBodies:
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"", "empty_body"),
            (b"nope", "bad_json"),
            (b'{"batch": [{"a": NaN}]}', "bad_json"),
            (b'{"batch": [{}', "bad_json"),
            (b'{"batch": 5}', "no_batch"),
            (b"[]", "no_batch"),
            (b'{"type": "track"}', "no_batch"),
            (b'{"other": "\\ud800"}', "bad_json"),
            (b'{"batch": [{}], "other": "\\ud800"}', "bad_json"),
        ],
    )
    def test_a_batch_that_cannot_be_read_is_refused_as_a_whole(
        self, body: bytes, code: str
    ) -> None:
        with pytest.raises(Unreadable) as caught:
            list(read_segment(delivered(body)))
        assert caught.value.code == code

    @pytest.mark.parametrize("body", [b"nope", b'{"a": NaN}', b'{"a": 1', b'{"event": "\xff"}'])
    def test_a_message_that_cannot_be_read_refuses_its_request(self, body: bytes) -> None:
        with pytest.raises(Unreadable) as caught:
            list(read_segment(delivered(body, "track")))
        assert caught.value.code == "bad_json"

    @pytest.mark.parametrize("large", [b"1", as_json({**TRACK, "properties": {"a": "x" * 100}})])
    def test_as_many_messages_as_allowed_are_read_and_no_more(self, large: bytes) -> None:
        batch = b'{"batch": [' + b",".join([large] * MOST_MESSAGES) + b"]}"
        assert len(records_of(batch)) == MOST_MESSAGES
        for more in (1, 500_000):
            many = b'{"batch": [' + b",".join([b"1"] * (MOST_MESSAGES + more)) + b"]}"
            with pytest.raises(TooLarge) as caught:
                list(read_segment(delivered(many)))
            assert caught.value.code == "too_many_items"

    def test_a_context_is_not_repeated_without_end(self) -> None:
        body = {"batch": [TRACK] * 2_000, "context": {"a": "x" * 10_000}}
        with pytest.raises(TooLarge):
            list(read_segment(delivered(body)))

    def test_a_byte_order_mark_is_no_obstacle(self) -> None:
        assert len(records_of(b"\xef\xbb\xbf" + as_json({"batch": [TRACK]}))) == 1

    def test_the_write_key_is_found_in_the_body(self) -> None:
        assert write_key_in(as_json({"batch": [TRACK], "writeKey": "wk_1"})) == "wk_1"
        for body in (b"", b"nope", b"[]", b'{"writeKey": 5}', b'{"a": ' * 3_000, b'{"b":"\xff"'):
            assert write_key_in(body) is None


def is_decodable(value: JsonValue) -> bool:
    """Tell whether msgspec reads *value*, so that it does not spoil what stands beside it."""
    try:
        msgspec.json.decode(as_json(value))
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


_members = st.sampled_from(
    [
        "type", "event", "name", "category", "messageId", "userId", "anonymousId", "previousId",
        "groupId", "properties", "traits", "context", "timestamp", "originalTimestamp", "sentAt",
        "integrations", "channel",
    ]
)  # fmt: skip
hostile_messages = st.one_of(
    json_values,
    st.builds(
        lambda hostile, kind: {**TRACK, **hostile, "type": kind},
        st.dictionaries(_members, st.one_of(json_values, texts), max_size=5),
        st.sampled_from(["track", "identify", "page", "group", "alias", None]),
    ),
)


@given(
    st.lists(hostile_messages, max_size=4),
    st.dictionaries(
        st.sampled_from(["sentAt", "context", "integrations"]), json_values.filter(is_decodable)
    ),
)
def test_every_message_of_a_batch_ends_as_one_record_whatever_it_holds(
    messages: list[JsonValue], beside: JsonObject
) -> None:
    assert len(records_of({"batch": messages, **beside})) == len(messages)
