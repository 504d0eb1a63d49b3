"""A till's day file with a wrong column map, repaired from the quarantine of the real product."""

from pathlib import Path
from typing import Final

import msgspec

from shared.touchpoints import JsonObject
from tests.fixtures.commands import Command
from tests.fixtures.load import ledger_of
from tests.fixtures.processes import within
from tests.fixtures.product import Product

LINES: Final = 10_000
CUSTOMERS: Final = 500
HEADER: Final = "event_id,type,occurred_at,{card},properties.value"
WRONG, RIGHT = HEADER.format(card="properties.card"), HEADER.format(card="customer.loyalty_id")


def day_file(path: Path, header: str, source: str) -> Path:
    """Write LINES sales; with the wrong header nobody is named in any of them."""
    rows = (
        f"{source}-{n},order_completed,2026-01-0{1 + n % 9}T1{n % 10}:00:00Z,L-{n % CUSTOMERS},{n}"
        for n in range(LINES)
    )
    path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return path


def journey_of(product: Product, card: int) -> dict[str, object]:
    with product.client() as client:
        answer = client.get(f"/v1/customers/loyalty_id:L-{card}/journey").json()
    members = ("stage", "activity", "cycle", "peak_stage", "next", "counts", "scores")
    return {name: answer[name] for name in members}


def ledger_document(product: Product) -> JsonObject:
    with product.client() as client:
        return dict(client.get("/v1/ledger").json())


def settle(product: Product) -> None:
    """Wait until everything sent is classified."""

    def pending() -> int:
        return ledger_of(ledger_document(product)).pending

    within(60, lambda: pending() == 0, lambda: f"{pending()} are pending")


def test_a_wrong_column_map_is_repaired_with_an_exact_ledger_and_right_journeys(
    product: Product, command: Command, tmp_path: Path
) -> None:
    data = ("--data", product.data)
    for name in ("till", "twin"):
        made = command("sources", "create", name, "--channel", "in_store", *data)
        assert made.code == 0, made.err
    wrong = day_file(tmp_path / "wrong.csv", WRONG, "till")
    sent = command("send", wrong, "--source", "till", *data)
    assert (sent.code, sent.out.splitlines()[-1]) == (1, f"0 accepted, {LINES} rejected")
    settle(product)
    listed = command("quarantine", "list", "--source", "till", *data)
    assert f"{LINES}" in listed.out, listed.out

    repair = ("--source", "till", "--move", "properties.card=customer.loyalty_id")
    dry = command("quarantine", "redrive", *repair, "--dry-run", *data)
    assert f"would store {LINES} touchpoints" in dry.out, dry.err
    assert f"of {CUSTOMERS} customers, {CUSTOMERS} of them new" in dry.out
    done = command("quarantine", "redrive", *repair, *data)
    assert done.out.strip() == f"{LINES} matched, {LINES} were redriven, 0 still wrong", done.err
    again = command("quarantine", "redrive", *repair, *data)
    assert again.out.strip() == "0 matched, 0 were redriven, 0 still wrong"
    settle(product)

    sources = msgspec.convert(ledger_document(product)["sources"], list[JsonObject])
    [row] = [one for one in sources if one["source"] == "till"]
    counts = {name: row[name] for name in ("accepted", "rejected", "stored", "quarantined")}
    assert counts == {
        "accepted": LINES,
        "rejected": LINES,
        "stored": LINES,
        "quarantined": LINES,
    }
    assert command("ledger", *data).code == 0
    repaired = {card: journey_of(product, card) for card in (0, 7, CUSTOMERS - 1)}
    assert command("verify", "--quiet", *data).code == 0

    with product.client() as client:
        receipt = client.get("/v1/receipts/till/till-7").json()
    assert receipt["status"] == "stored"
    assert receipt["redrive_of"] is not None

    removed_twin = day_file(tmp_path / "right.csv", RIGHT.replace("loyalty_id", "crm_id"), "twin")
    assert command("send", removed_twin, "--source", "twin", *data).code == 0
    settle(product)
    for card, journey in repaired.items():
        with product.client() as client:
            twin = client.get(f"/v1/customers/crm_id:L-{card}/journey").json()
        assert {name: twin[name] for name in journey} == journey
