"""A real history, delivered badly: its journeys are those of an orderly delivery."""

from pathlib import Path
from typing import Final

import msgspec

from benchmarks.grocery_history import badly_delivered, history, read_tables, write
from shared.touchpoints import JsonObject
from tests.fixtures.commands import Command
from tests.fixtures.load import ledger_of
from tests.fixtures.processes import within
from tests.fixtures.product import Product

CUT: Final = Path(__file__).parents[1] / "data" / "grocery"
MODEL: Final = Path(__file__).parents[2] / "shared" / "journey" / "models" / "default.yaml"
SOURCE: Final = "grocery"
END: Final = "2018-06-01T00:00:00Z"
TOLD_ALIKE: Final = (
    "stage",
    "activity",
    "cycle",
    "peak_stage",
    "next",
    "transitions",
    "counts",
    "scores",
)


def test_late_and_repeated_lines_end_in_the_journeys_of_an_orderly_delivery(
    product: Product, command: Command, tmp_path: Path
) -> None:
    lines = list(history(read_tables(CUT)))
    delivered = badly_delivered(lines, seed=4)
    bad = tmp_path / "bad.ndjson"
    write(delivered, bad)
    with product.client() as client:
        client.post("/v1/sources", json={"name": SOURCE, "channel": "in_store"})
    sent = command("send", bad, "--source", SOURCE, "--data", product.data)
    assert sent.out == f"{len(delivered)} accepted, 0 rejected\n"
    within(60, lambda: _pending(product) == 0, lambda: f"{_pending(product)} are pending")
    verified = command("verify", "--data", product.data)
    assert verified.out.splitlines()[-1] == f"customers 20, touchpoints {len(lines)}, differences 0"

    for expected in _traced(command, lines, tmp_path / "good.ndjson"):
        with product.client() as client:
            path = f"/v1/customers/{expected['customer_id']}/journey"
            told = client.get(path, params={"as_of": END}).json()
        assert {name: told[name] for name in TOLD_ALIKE} == {
            name: expected[name] for name in TOLD_ALIKE
        }


def _pending(product: Product) -> int:
    with product.client() as client:
        return ledger_of(client.get("/v1/ledger").json()).pending


def _traced(command: Command, lines: list[JsonObject], file: Path) -> list[JsonObject]:
    """Return the journeys that ``model trace`` tells of the lines in their order."""
    write([{**line, "source": SOURCE} for line in lines], file)
    traced = command("model", "trace", MODEL, file, "--as-of", END, "--format", "json")
    journeys = [msgspec.json.decode(line, type=JsonObject) for line in traced.out.splitlines()]
    assert len(journeys) == 20
    return journeys
