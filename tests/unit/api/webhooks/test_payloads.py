"""Payloads are what was told, under 20 KB."""

import msgspec
from hypothesis import given
from hypothesis.strategies import integers

from services.api.webhooks.payloads import LARGEST, EventType, payload
from shared.touchpoints import JsonObject

AT = "2026-01-05T10:00:00Z"


def evidence(count: int) -> list[JsonObject]:
    return [{"source": "web", "event_id": f"e{n:04}" + "x" * 190, "at": AT} for n in range(count)]


def moved(count: int) -> JsonObject:
    return {"id": "0" * 32, "n": 1, "cause": {"touchpoint": None, "evidence": evidence(count)}}


class Sent(msgspec.Struct, frozen=True):
    type: str
    timestamp: str
    data: JsonObject


def read(body: bytes) -> Sent:
    return msgspec.json.decode(body, type=Sent)


def test_a_payload_is_type_timestamp_and_data() -> None:
    body = payload(EventType.TRANSITION, AT, moved(3))
    assert msgspec.json.decode(body) == {
        "type": "journey.transition",
        "timestamp": AT,
        "data": moved(3),
    }


@given(integers(0, 500))
def test_no_payload_is_large_and_what_is_left_out_is_said(count: int) -> None:
    body = payload(EventType.TRANSITION, AT, moved(count))
    assert len(body) < LARGEST
    data = read(body).data
    kept = msgspec.convert(data["cause"], dict[str, list[JsonObject] | None])["evidence"]
    assert kept is not None
    assert kept == evidence(count)[: len(kept)]
    if len(kept) < count:
        assert data["shortened"] == {"cause.evidence": {"kept": len(kept), "of": count}}
        one_more = len(msgspec.json.encode(evidence(count)[len(kept)])) + 1
        assert len(body) + one_more >= LARGEST - 10
    else:
        assert "shortened" not in data


def test_a_merge_of_very_many_customers_is_shortened_too() -> None:
    names = [f"{n:036}" for n in range(2_000)]
    body = payload(EventType.MERGED, AT, {"into": names[0], "from": names, "cause": None})
    assert len(body) < LARGEST
    data = read(body).data
    kept = msgspec.convert(data["from"], list[str])
    assert kept == names[: len(kept)]
    assert data["shortened"] == {"from": {"kept": len(kept), "of": 2_000}}
    assert data["into"] == names[0]
