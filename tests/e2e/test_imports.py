"""Files of a till, taken in by the real product, whatever happens on the way."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.fixtures.commands import Command
from tests.fixtures.load import ledger_of
from tests.fixtures.processes import within
from tests.fixtures.product import Product

MAP: Final = {"Bon": "properties.receipt_id", "Zeit": "occurred_at", "Karte": "customer.card"}
STATED: Final = {
    "map": json.dumps(MAP),
    "type": "store_sale",
    "channel": "in_store",
    "time_format": "%d.%m.%Y %H:%M",
    "time_zone": "Europe/Berlin",
}
ROWS: Final = 5_000


def till_file(rows: int) -> bytes:
    """Return a day of a till, without event ids; every tenth sale has no card."""
    cards = [f"L-{row % 70}" if row % 10 else "" for row in range(rows)]
    lines = [
        f"{row};05.01.2026 {8 + row % 12:02}:{row % 60:02};{card};5,0"
        for row, card in enumerate(cards)
    ]
    return "\n".join(["Bon;Zeit;Karte;Summe", *lines]).encode("utf-8-sig")


def stored(product: Product) -> tuple[int, int, int]:
    """Return how many records are stored, duplicate and quarantined, once none is pending."""

    def total() -> tuple[int, int, int, int]:
        with product.client() as client:
            row = ledger_of(dict(client.get("/v1/ledger").json()))
        return row.pending, row.stored, row.duplicate, row.quarantined

    within(60, lambda: total()[0] == 0, lambda: f"still pending: {total()}")
    return total()[1:]


def test_a_till_s_file_becomes_touchpoints_and_is_doubled_by_nobody(
    product: Product, command: Command, tmp_path: Path
) -> None:
    content = till_file(ROWS)
    with product.client() as client:
        answer = client.post("/v1/imports", content=gzip.compress(content), params=STATED)
        assert answer.status_code == 202, answer.text
        state = client.get(answer.headers["location"]).json()
        assert state == answer.json()
    assert (state["status"], state["line"]) == ("done", ROWS + 1)
    assert (state["accepted"], state["rejected"]) == (ROWS * 9 // 10, ROWS // 10)
    assert [error["line"] for error in state["errors"]] == list(range(2, 202, 10))
    assert stored(product) == (ROWS * 9 // 10, 0, ROWS // 10)
    with product.client() as client:
        timeline = client.get("/v1/customers/card:L-1/timeline", params={"limit": 500}).json()
    sale = next(item for item in timeline["items"] if item["kind"] == "touchpoint")
    assert (sale["type"], sale["channel"]) == ("store_sale", "in_store")
    assert sale["occurred_at"].startswith("2026-01-05T")
    assert sale["properties"]["Summe"] == "5,0"

    file = tmp_path / "till.csv"
    file.write_bytes(content)
    options = [
        f"--{name.replace('_', '-')}={value}" for name, value in STATED.items() if name != "source"
    ]
    sent = command("send", file, "--data", product.data, *options)
    assert sent.out == f"{ROWS * 9 // 10} accepted, {ROWS // 10} rejected\n", sent
    assert stored(product) == (ROWS * 9 // 10, ROWS * 9 // 10, ROWS // 5)


def test_an_import_that_a_kill_interrupts_is_sent_again_and_doubles_nothing(
    product: Product,
) -> None:
    content = till_file(ROWS)

    def pieces_until_killed() -> Iterator[bytes]:
        half = len(content) // 2
        yield content[:half]
        with product.client() as other:
            within(30, lambda: ledger_of(dict(other.get("/v1/ledger").json())).log_end, str)
        product.kill()
        yield content[half:]

    with product.client() as client, pytest.raises(httpx.TransportError):
        client.post("/v1/imports", content=pieces_until_killed(), params=STATED)
    product.start()
    before, _, _ = stored(product)
    assert 0 < before < ROWS * 9 // 10
    with product.client() as client:
        (interrupted,) = client.get("/v1/imports").json()["items"]
        assert interrupted["status"] == "running", "it is told as interrupted once it is silent"
        answer = client.post("/v1/imports", content=content, params=STATED)
        assert (answer.status_code, answer.json()["status"]) == (202, "done")
    assert stored(product)[:2] == (ROWS * 9 // 10, before)
