"""``journeyline send`` against the real product: exact counts, whatever happens on the way."""

import gzip
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

import msgspec
import pytest

from tests.fixtures.commands import Command
from tests.fixtures.load import ledger_of
from tests.fixtures.processes import Ran, begun, ended, within
from tests.fixtures.product import Product

HEADER: Final = "event_id,type,occurred_at,customer.email,properties.value,text"
MANY: Final = 10_000

_names = (f"till-{number}" for number in count(1))


class Till:
    """A source that no other test sends to."""

    def __init__(self, product: Product, name: str, command: Command) -> None:
        self.product = product
        self.name = name
        self._command = command

    def send(self, file: Path, *options: str) -> Ran:
        """Run ``journeyline send`` to its end."""
        return self._command("send", file, *self.options, *options)

    @property
    def options(self) -> tuple[str | Path, ...]:
        """What makes ``journeyline send`` post for this till."""
        return ("--source", self.name, "--data", self.product.data)

    def became(self) -> dict[str, object]:
        """Return what became of all that was sent."""
        return _became(self.product, self.name)


@pytest.fixture
def till(shared_product: Product, command: Command) -> Till:
    """A till of a running product."""
    name = next(_names)
    with shared_product.client() as client:
        answer = client.post("/v1/sources", json={"name": name, "channel": "in_store"})
    assert answer.status_code == 201, answer.text
    return Till(shared_product, name, command)


def _rows(number: int) -> Iterator[str]:
    for row in range(number):
        customer = f"c-{row % 50}@example.com"
        yield f'o-{row},order_completed,2026-01-05T10:00:00Z,{customer},{row}.5,"a, b"'


def _csv(number: int) -> str:
    return "\n".join([HEADER, *_rows(number)]) + "\n"


def _ndjson(number: int) -> str:
    items = (
        {
            "event_id": f"o-{row}",
            "type": "order_completed",
            "customer": {"user_id": f"u-{row % 50}"},
        }
        for row in range(number)
    )
    return "".join(msgspec.json.encode(item).decode() + "\n" for item in items)


def _anonymous(number: int) -> str:
    """Rows without event ids, of which each comes twice."""
    row = "page_viewed,2026-01-05T10:00:00Z,c-{}@example.com"
    lines = [row.format(number) for number in range(number // 2)] * 2
    return "\n".join(["type,occurred_at,customer.email", *lines]) + "\n"


def _became(product: Product, source: str) -> dict[str, object]:
    """Return what became of all that *source* sent, once nothing is pending."""

    def ledger() -> dict[str, object]:
        with product.client() as client:
            return dict(client.get("/v1/ledger").json())

    within(60, lambda: ledger_of(ledger()).pending == 0, lambda: f"still pending: {ledger()}")
    sources = msgspec.convert(ledger()["sources"], list[dict[str, object]])
    [row] = [row for row in sources if row["source"] == source]
    return {name: row[name] for name in ("accepted", "rejected", "stored", "duplicate")}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("till.csv", _csv(60).encode()),
        ("till.csv", _csv(60).replace(",", ";").replace('"a; b"', "a, b").encode("utf-8-sig")),
        ("till.csv.gz", gzip.compress(_csv(60).replace("\n", "\r\n").encode())),
        ("till.ndjson", _ndjson(60).encode("utf-8-sig")),
        ("till.dat", gzip.compress(b"\n\n" + _ndjson(60).encode().rstrip())),
    ],
    ids=["csv", "semicolons with BOM", "gzipped with CRLF", "ndjson with BOM", "gzipped ndjson"],
)
def test_every_row_of_a_file_arrives(till: Till, tmp_path: Path, name: str, content: bytes) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    sent = till.send(file)
    assert (sent.code, sent.out, sent.err) == (0, "60 accepted, 0 rejected\n", "")
    assert till.became() == {
        "accepted": 60,
        "rejected": 0,
        "stored": 60,
        "duplicate": 0,
    }
    receipt = till.product.receipt("o-7", till.name)
    assert receipt["status"] == "stored"
    assert [path.name for path in tmp_path.iterdir()] == [name], "no mark is left"


def test_bad_lines_are_named_after_all_others_were_sent(till: Till, tmp_path: Path) -> None:
    file = tmp_path / "till [1].csv"
    good = list(_rows(4))
    bad = [
        'b-1,order_completed,2026-01-05T10:00:00Z,x@example.com,1,"never closed',
        "b-2,order_completed,2026-01-05T10:00:00Z,x@example.com,1,a,too many",
        "b-3,order_completed,yesterday,x@example.com,1,",
        "b-4,order_completed,2026-01-05T10:00:00Z,,1,",
    ]
    lines = [HEADER, *(line for pair in zip(good, bad, strict=True) for line in pair)]
    file.write_text("\n".join(lines) + "\n")
    sent = till.send(file)
    assert sent.code == 1
    assert sent.out == "4 accepted, 4 rejected\n"
    told = sent.err.splitlines()
    assert [line.removeprefix(f"{file}: ").split(":")[0] for line in told] == [
        "line 3",
        "line 5",
        "line 7",
        "line 9",
    ]
    assert till.became() == {
        "accepted": 4,
        "rejected": 2,  # the others are no touchpoints at all
        "stored": 4,
        "duplicate": 0,
    }


def test_a_file_that_is_sent_twice_doubles_nothing(till: Till, tmp_path: Path) -> None:
    file = tmp_path / "visits.csv"
    file.write_text(_anonymous(40))
    for _ in range(2):
        assert till.send(file).out == "40 accepted, 0 rejected\n"
    became = till.became()
    assert (became["stored"], became["duplicate"]) == (40, 40), "equal rows of a file are two"


def test_an_interrupted_run_goes_on_and_doubles_nothing(till: Till, tmp_path: Path) -> None:
    file = tmp_path / "till.csv"
    file.write_text(_csv(MANY))
    with begun("send", file, *till.options) as sending:
        _until_begun(file)
        sending.send_signal(signal.SIGINT)
        interrupted = ended(sending)
    assert interrupted.code == 130
    assert interrupted.out == ""
    assert "stopped after line" in interrupted.err
    again = till.send(file)
    assert (again.code, again.out) == (0, f"{MANY} accepted, 0 rejected\n")
    assert "goes on after line" in again.err
    became = till.became()
    assert became["stored"] == MANY
    assert became["accepted"] != 2 * MANY, "it began anew"


def _until_begun(file: Path) -> None:
    mark = file.with_name(f"{file.name}.sending")
    within(60, mark.exists, lambda: "nothing was confirmed")


def test_a_system_that_goes_away_is_waited_for(product: Product, tmp_path: Path) -> None:
    file = tmp_path / "till.csv"
    file.write_text(_csv(MANY))
    url, key = product.url, product.credentials.secret_key
    with begun("send", file, "--url", url, "--key", key) as sending:
        _until_begun(file)
        product.kill()
        product.start("--port", url.rpartition(":")[2])
        sent = ended(sending)
    assert (sent.code, sent.out) == (0, f"{MANY} accepted, 0 rejected\n"), sent
    assert "nothing answers" in sent.err
    assert _became(product, "api")["stored"] == MANY


def test_a_damaged_file_is_not_begun(till: Till, tmp_path: Path) -> None:
    file = tmp_path / "till.csv.gz"
    file.write_bytes(gzip.compress(_csv(60).encode())[:-20])
    sent = till.send(file)
    assert sent.code == 1
    [line] = sent.err.splitlines()
    assert "no whole gzip file" in line


def test_a_header_that_names_unknown_columns_is_explained(till: Till, tmp_path: Path) -> None:
    file = tmp_path / "till.csv"
    file.write_text("Datum;type;customer.email\n1.1.2026;visit;a@example.com\n")
    sent = till.send(file)
    assert sent.code == 1
    assert "Datum is no known column" in sent.err
    assert "occurred_at" in sent.err


def test_what_cannot_be_sent_at_all_is_said_in_one_line(till: Till, tmp_path: Path) -> None:
    file = tmp_path / "till.csv"
    file.write_text(_csv(1))
    missing = till.send(tmp_path / "nothing.csv")
    assert missing.code == 2
    unknown = till.send(file, "--key", "wk_wrong")
    assert unknown.code == 1
    assert "not known" in unknown.err
    nobody = till.send(file, "--url", "http://127.0.0.1:1")
    assert nobody.code == 1
    assert "journeyline up" in nobody.err
    nowhere = till.send(file, "--source", "nobody")
    assert nowhere.code == 1
    for ran in (missing, unknown, nobody, nowhere):
        assert ran.out == ""
        [line] = ran.err.splitlines()
        assert line.startswith("journeyline: ")
