"""What ingest accepts, the classifier stores: nothing accepted ever ends in the quarantine."""

import random

from shared.acceptance.bodies import Sent
from shared.acceptance.requests import judge_all
from shared.records import RejectedRecord, encode
from shared.touchpoints import JsonObject, JsonValue
from tests.fixtures.classification import Classifier, Garbage
from tests.strategies.items import as_json, item_with, nested, terms_with

CHANCE = random.Random(7)
LONG = "".join(chr(CHANCE.randrange(0x10000, 0x10FFFF)) for _ in range(200))
"""As long as ids may be, in four bytes each, and not to be compressed."""

TEXTS = [
    "\0",
    "a\0b",
    "\x01\x1f\x7f\x85",
    "\ufffe\uffff\ufeff",
    "\u2028\u202e\u200f",
    "\U0001f469\u200d\U0001f680",
    "e\u0301",
    "'; DROP TABLE touchpoints; --",
    "%s %(x)s $1 {0}",
    r"\u0000 \ud800 \\",
    '"}],{[',
    "NaN",
    LONG,
]
NUMBERS: list[JsonValue] = [2**63 - 1, -(2**63), 2**53 + 1, 1e308, -1e308, 5e-324, -0.0, 1e16]
TIMES = ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"]


def hostile_items() -> list[JsonObject]:
    number = 0
    items: list[JsonObject] = []
    for text in TEXTS:
        members: list[JsonObject] = [
            {"event_id": text},
            {"text": text},
            {
                "customer": {
                    "user_id": f" {text}",
                    "email": f"{text[:150]}@x.example",
                    "phone": text,
                }
            },
            {"properties": {text: [text, {text: text}]}, "context": {text: text}},
            {"traits": {text: text, "order_id": text}},
        ]
        for member in members:
            number += 1
            items.append(item_with(**{"event_id": f"text-{number}", **member}))
    values: list[JsonValue] = [*NUMBERS, nested(30), nested(30, array=True), [None] * 1_000]
    for place, value in enumerate(values):
        properties: JsonValue = {"order_id": value, "value": value, "rating": value}
        items.append(
            item_with(
                event_id=f"value-{place}",
                type="order_completed",
                properties=properties,
                traits={"x": value},
            )
        )
    for place, time in enumerate(TIMES):
        items.append(item_with(event_id=f"time-{place}", occurred_at=time, sent_at=time))
    items.append(item_with(event_id="type", type="x" * 128, customer={"k" * 32: LONG}))
    return items


async def test_every_accepted_item_is_stored_and_every_rejected_one_quarantined(
    classifier: Classifier,
) -> None:
    items = [*map(as_json, hostile_items()), rb'{"type": "\ud800"}', b'{"\\u0000": 1}', b"[]"]
    records = list(judge_all(Sent(tuple(items)), terms_with()))
    refused = sum(isinstance(record, RejectedRecord) for record in records)
    await classifier.feed(*(Garbage(encode(record)) for record in records))
    ledger = await classifier.ledger()
    assert (ledger["stored"], ledger["quarantined"]) == (len(records) - refused, refused)
    reasons = {row["reason"] for row in await classifier.rows("SELECT reason FROM quarantine")}
    assert reasons == {
        record.data.reason for record in records if isinstance(record, RejectedRecord)
    }
    assert reasons == {"lone_surrogate", "unknown_field", "not_an_object"}
