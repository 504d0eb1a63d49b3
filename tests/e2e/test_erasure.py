"""The canary: strings planted wherever a customer leaves traces are looked for after an erasure."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg
import httpx
import msgspec
import pytest
from sqlalchemy import make_url

from shared.touchpoints import JsonObject
from tests.fixtures.commands import Command
from tests.fixtures.load import ledger_of
from tests.fixtures.processes import within
from tests.fixtures.product import Product, product_at
from tests.postgres import run_apart

CANARY: Final = "canary-7f3a"
ANA: Final = f"{CANARY}-u"
MAIL: Final = f"{CANARY}@example.com"


def planted() -> Iterator[JsonObject]:
    """Yield touchpoints of a customer who leaves the canary everywhere, and of one who does not."""
    names: JsonObject = {"user_id": ANA, "email": MAIL, "anonymous_id": f"{CANARY}-a"}
    for number in range(5):
        yield {
            "event_id": f"{CANARY}-{number}",
            "type": "order_completed",
            "occurred_at": f"2026-01-0{number + 1}T10:00:00Z",
            "customer": names,
            "traits": {"name": CANARY},
            "properties": {"note": CANARY, CANARY: 1},
            "context": {"page": {"url": f"https://shop.example/{CANARY}"}},
            "text": f"I am {CANARY}",
        }
    yield {
        "event_id": f"{CANARY}-0",
        "type": "order_completed",
        "occurred_at": "2026-01-01T10:00:00Z",
        "customer": names,
        "properties": {"again": CANARY},
    }
    yield {
        "event_id": "ben-1",
        "type": "order_completed",
        "occurred_at": "2026-01-09T10:00:00Z",
        "customer": {"user_id": "ben", "anonymous_id": f"{CANARY}-a"},
        "properties": {"referred_by": f"user_id:{ANA}"},
    }


async def dumped(url: str) -> bytes:
    """Return every row of every table, as ``COPY`` writes them."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    rows: list[bytes] = []

    async def keep(chunk: bytes) -> None:
        rows.append(chunk)

    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname='public'")
        for table in tables:
            await connection.copy_from_table(table["tablename"], output=keep)
    finally:
        await connection.close()
    return b"".join(rows)


async def read_again(url: str) -> None:
    """Let the log be read from its beginning, as if nothing of it had been classified."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    try:
        await connection.execute(
            "UPDATE claims SET next_offset = start_offset, stored = 0, duplicate = 0,"
            " quarantined = 0, erased = 0, gaps = 0"
        )
    finally:
        await connection.close()


def answers(client: httpx.Client) -> Iterator[tuple[str, httpx.Response]]:
    """Yield what the API answers on every GET route that it describes."""
    values = {
        "ref": f"email:{MAIL}",
        "source": "api",
        "event_id": f"{CANARY}-0",
        "version": "default",
    }
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        if "get" in operations and "stream" not in path:
            asked = re.sub(r"\{(\w+)\}", lambda name: values.get(name[1], "x"), path)
            yield path, client.get(asked, headers={"If-None-Match": ""}, timeout=30)
    for path in ("/metrics", "/v1/customers/user_id:ben/timeline", "/v1/customers?q=canary"):
        yield path, client.get(path)


def settle(product: Product) -> None:
    def pending() -> int:
        with product.client() as client:
            return ledger_of(client.get("/v1/ledger").json()).pending

    within(60, lambda: pending() == 0, lambda: f"{pending()} are pending")


def send_planted(product: Product) -> None:
    with product.client() as client:
        items = list(planted())
        client.post("/v1/touchpoints", content=msgspec.json.encode(items)).raise_for_status()
        wrong = {"event_id": f"{CANARY}-w", "customer": {"email": MAIL}, "text": CANARY}
        assert client.post("/v1/touchpoints", json=wrong).status_code == 422
        headless = f"visit,{MAIL},2026-01-01T10:00:00Z\n"
        assert client.post("/v1/imports", content=headless).status_code == 422
        file = f"type,customer.email,occurred_at\nvisit,{MAIL},{MAIL}\n"
        assert client.post("/v1/imports", content=file).status_code == 202
    settle(product)


@pytest.fixture
def own_product(tmp_path: Path, database_url: str) -> Iterator[Product]:
    """A product over a database of the test's own, which can be looked into."""
    with product_at(tmp_path / "data") as product:
        product.start("--database-url", database_url)
        yield product


def traces(product: Product, database_url: str) -> dict[str, int]:
    """Return where the canary is found, and how often."""
    found = {"database": run_apart(dumped(database_url)).count(CANARY.encode())}
    for file in product.data.rglob("*"):
        if file.is_file():
            found[str(file.relative_to(product.data))] = file.read_bytes().count(CANARY.encode())
    found["output"] = product.said.count(CANARY)
    with product.client() as client:
        for path, answer in answers(client):
            # A refusal may say back what was asked for; nothing else of it may be known.
            if answer.is_success or CANARY not in str(answer.request.url):
                found[path] = answer.text.count(CANARY)
    return {where: count for where, count in found.items() if count}


def test_an_erased_customer_is_gone_from_everything_and_a_replay_resurrects_nothing(
    own_product: Product, database_url: str, command: Command
) -> None:
    product = own_product
    send_planted(product)
    before = traces(product, database_url)
    assert {"database", "log/log.sqlite"} <= {where.removesuffix("-wal") for where in before}

    done = command("erase", f"email:{MAIL}", "--yes", "--data", product.data)
    assert done.code == 0, done.err
    remains = msgspec.json.decode(done.out)["remains"]
    assert [one["what"] for one in remains] == ["log_copies", "dead_rows", "write_ahead_log"]
    assert all(one["gone_by"] for one in remains)
    assert traces(product, database_url) == {}

    product.stop()
    run_apart(read_again(database_url))
    product.start("--database-url", database_url)
    settle(product)
    assert traces(product, database_url) == {}

    send_planted(product)
    with product.client() as client:
        assert client.get(f"/v1/customers/email:{MAIL}").status_code == 404
        receipt = client.get(f"/v1/receipts/api/{CANARY}-1").json()
        assert receipt["status"] == "erased"
        assert client.get("/v1/customers/user_id:ben").status_code == 200
    assert command("ledger", "--data", product.data).code == 0
    assert command("verify", "--quiet", "--data", product.data).code == 0
    held = run_apart(dumped(database_url))
    assert CANARY.encode() not in held
