"""Whoever was merged wrongly and unlinked has the journey of a twin who never was.

Two products are told the same life over HTTP, in different orders. In one of them a phone that two
people share makes them one, and somebody takes that back; in the other nobody ever named it.
"""

import random
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec
import pytest

from shared.identity.identifiers import identifier_id
from shared.touchpoints import Identifier, JsonObject
from tests.fixtures.product import Product, copied, product_at

PHONE: Final = "+4930123456"
AS_OF: Final = "2026-03-01T00:00:00Z"
ANA, BEN, CID = "user_id:ana", "email:ben@example.com", "user_id:cid"


@pytest.fixture
def twins(used_folder: Path, tmp_path: Path) -> Generator[tuple[Product, Product]]:
    """Two products that run, on folders of this test's own."""
    with ExitStack() as stack:
        folders = (copied(used_folder, tmp_path / name) for name in ("one", "other"))
        one, other = (stack.enter_context(product_at(folder)) for folder in folders)
        one.start()
        other.start()
        yield one, other


def touchpoint(number: int, kind: str, channel: str = "web", **customer: str) -> JsonObject:
    return {
        "event_id": f"e{number:02}",
        "type": kind,
        "channel": channel,
        "occurred_at": f"2026-01-{number:02}T10:00:00Z",
        "customer": customer,
        "properties": {"order_id": f"o{number}", "value": 10 * number},
    }


def life(phone: str | None) -> list[JsonObject]:
    """Ana's way from an anonymous visitor to a customer, and Ben's; both may name one *phone*."""
    shared = {} if phone is None else {"phone": phone}
    ben = BEN.partition(":")[2]
    return [
        touchpoint(1, "page_viewed", anonymous_id="laptop"),
        touchpoint(2, "product_viewed", anonymous_id="laptop"),
        touchpoint(3, "identify", anonymous_id="laptop", user_id="ana"),
        touchpoint(4, "page_viewed", anonymous_id="mobile"),
        touchpoint(5, "identify", anonymous_id="mobile", user_id="ana"),
        touchpoint(6, "order_completed", "in_store", loyalty_id="L-9"),
        touchpoint(7, "loyalty_joined", "in_store", loyalty_id="L-9", user_id="ana"),
        touchpoint(8, "call_completed", "contact_center", user_id="ana", **shared),
        touchpoint(9, "order_completed", email=ben, **shared),
        touchpoint(10, "order_refunded", "in_store", email=ben),
        touchpoint(11, "order_completed", user_id="ana"),
        touchpoint(12, "review_posted", "social", email=ben),
    ]


def told(product: Product, touchpoints: list[JsonObject], seed: int) -> None:
    """Tell *product* all of *touchpoints* in an order of its own, a few at a time."""
    chance = random.Random(seed)
    chance.shuffle(touchpoints)
    for start in range(0, len(touchpoints), 5):
        product.post(*touchpoints[start : start + 5])
    for one in touchpoints:
        product.wait_until_stored(str(one["event_id"]))


def get(product: Product, path: str, **asked: str) -> JsonObject:
    with product.client() as client:
        answer = client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def post(product: Product, path: str, body: JsonObject) -> JsonObject:
    with product.client() as client:
        answer = client.post(path, json=body)
    assert answer.is_success, answer.text
    return dict(answer.json())


def journey(product: Product, name: str) -> bytes:
    """Return the bytes of a journey, but for how fresh the answer is."""
    document = get(product, f"/v1/customers/{name}/journey", as_of=AS_OF)
    del document["freshness"]
    return msgspec.json.encode(document)


def customer(product: Product, name: str) -> JsonObject:
    return get(product, f"/v1/customers/{name}")


def id_of(name: str) -> str:
    kind, _, value = name.partition(":")
    return str(identifier_id(Identifier(kind, value)))


def as_list(value: object) -> list[JsonObject]:
    assert isinstance(value, list)
    return value


def test_after_an_unlink_both_have_the_journeys_of_their_twins(
    twins: tuple[Product, Product],
) -> None:
    merged, twin = twins
    told(merged, life(PHONE), seed=1)
    told(twin, life(None), seed=2)
    assert customer(merged, BEN)["customer_id"] == id_of(ANA)
    assert journey(merged, BEN) == journey(merged, ANA) != journey(twin, ANA)

    body: JsonObject = {"identifier": f"phone:{PHONE}", "reason": "the office's phone"}
    post(merged, f"/v1/customers/{ANA}/unlink", body)
    for name in (ANA, BEN):
        assert customer(merged, name)["customer_id"] == id_of(name)
        assert journey(merged, name) == journey(twin, name)
        for member in ("touchpoints", "first_touch", "last_touch", "traits", "journey"):
            assert customer(merged, name)[member] == customer(twin, name)[member]
    for name in ("anonymous_id:laptop", "anonymous_id:mobile", "loyalty_id:L-9"):
        assert journey(merged, name) == journey(twin, ANA)
    for product in twins:
        verified = product.run("verify")
        assert (verified.code, "differences 0" in verified.out) == (0, True), verified


def test_a_late_login_and_a_bar_decide_whose_a_shared_phone_is(
    twins: tuple[Product, Product],
) -> None:
    late, in_order = twins
    history = [
        touchpoint(1, "identify", user_id="cid", phone=PHONE),
        touchpoint(2, "identify", user_id="ana", phone=PHONE),
        touchpoint(3, "order_completed", phone=PHONE),
    ]
    for one in reversed(history):
        late.post(one)
        late.wait_until_stored(str(one["event_id"]))
    in_order.post(*history)
    in_order.wait_until_stored("e03")
    for product in twins:
        assert customer(product, f"phone:{PHONE}")["customer_id"] == id_of(CID)
        for name in (ANA, CID):
            assert len(as_list(customer(product, name)["conflicts"])) == 1
    assert journey(late, CID) == journey(in_order, CID)
    assert journey(late, ANA) == journey(in_order, ANA)

    [link] = [each["id"] for each in as_list(customer(late, CID)["links"])]
    post(late, f"/v1/links/{link}/unlink", {"reason": "ana's phone"})
    assert customer(late, f"phone:{PHONE}")["customer_id"] == id_of(ANA)
    assert customer(late, ANA)["conflicts"] == []
    post(late, f"/v1/links/{link}/relink", {"reason": "no, cid's"})
    for name in (ANA, CID):
        assert journey(late, name) == journey(in_order, name)
    assert "differences 0" in late.run("verify").out
