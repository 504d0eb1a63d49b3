"""Merges and unlinks by hand in random order leave everything as it follows from the touchpoints.

The long version plays the demo's nine months first, and makes 500 merges and 50 unlinks.
"""

import os
import random
import sys
from typing import Final

import httpx

from shared.instants import rfc3339
from tests.fixtures.crowds import crowd
from tests.fixtures.processes import COMMAND, ended, spawn, within
from tests.fixtures.product import Product

LONG: Final = bool(os.environ.get("LONG_RUNS"))
MERGES: Final = 500 if LONG else 15
UNLINKS: Final = 50 if LONG else 5
PAGE: Final = 500
PATIENCE_SECONDS: Final = 900.0


def test_merges_and_unlinks_in_random_order_verify(product: Product) -> None:
    if LONG:
        _play_the_demo(product)
    else:
        _tell_a_crowd(product)
    with product.client() as client:
        done = _merge_at_random(client, random.Random(1))
    verifying = spawn([COMMAND, "verify", "--data", product.data])
    verified = ended(verifying, seconds=PATIENCE_SECONDS)
    assert (verified.code, "differences 0" in verified.out) == (0, True), verified
    sys.stdout.write(f"{done}; {verified.out.strip().splitlines()[-1]}\n")


def _play_the_demo(product: Product) -> None:
    playing = spawn([COMMAND, "demo", "--data", product.data])
    played = ended(playing, seconds=PATIENCE_SECONDS)
    assert played.code == 0, played
    with product.client() as client:
        within(
            PATIENCE_SECONDS,
            lambda: client.get("/v1/ledger").json()["total"]["pending"] == 0,
            lambda: client.get("/v1/ledger").text,
        )


def _tell_a_crowd(product: Product) -> None:
    sent = crowd(1, people=40, touchpoints=120)
    product.post(
        *(
            {
                "event_id": one.event_id,
                "type": one.type,
                "occurred_at": rfc3339(one.at),
                "customer": dict(name.split(":", 1) for name in one.identifiers[-2:]),
            }
            for one in sent
        )
    )
    for one in sent:
        product.wait_until_stored(one.event_id)


def _merge_at_random(client: httpx.Client, chance: random.Random) -> str:
    """Link random people and take some of the links back, until there were enough of both."""
    names = _names(client)
    merges = conflicts = unlinks = 0
    made: list[str] = []
    while merges < MERGES or unlinks < UNLINKS:
        if made and (merges >= MERGES or chance.random() < UNLINKS / MERGES):
            path = f"/v1/links/{made.pop(chance.randrange(len(made)))}/unlink"
            unlinks += _answer(client, path, {"reason": "at random"})["changed"] is True
            continue
        a, b = chance.sample(names, 2)
        before = {_customer(client, name) for name in (a, b)}
        link = _answer(client, "/v1/links", {"a": a, "b": b, "reason": "at random"})
        conflicts += link["refused"] is True
        if len(before) > len({_customer(client, name) for name in (a, b)}):
            merges += 1
            made.append(str(link["id"]))
    return f"{merges} merges, {conflicts} conflicts, {unlinks} unlinks"


def _names(client: httpx.Client) -> list[str]:
    """Return an identifier of each customer, in an order that is the same every time."""
    names: list[str] = []
    asked: dict[str, str | int] = {"limit": PAGE}
    while True:
        page = client.get("/v1/customers", params=asked).raise_for_status().json()
        for item in page["items"]:
            names += item["identifiers"][:1]
        if page["next"] is None:
            return sorted(names)
        asked["cursor"] = page["next"]


def _customer(client: httpx.Client, name: str) -> str:
    answer = client.get("/v1/customers/lookup", params={"ref": name})
    return str(answer.raise_for_status().json()["customer_id"])


def _answer(client: httpx.Client, path: str, body: dict[str, str]) -> dict[str, object]:
    answer = client.post(path, json=body)
    assert answer.is_success, answer.text
    return dict(answer.json())
