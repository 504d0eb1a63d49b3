"""``journeyline ledger``: what became of everything that came in."""

from typing import Annotated

import msgspec
import typer
from rich.box import SIMPLE
from rich.table import Table

from services.cli.connection import DEFAULT_DATA, Data, Key, Url, ask, connect, find_target
from services.cli.tables import print_table
from shared.errors import JourneylineError

COLUMNS = ("log_end", "stored", "duplicate", "quarantined", "erased", "gaps", "pending")


class LedgerRow(msgspec.Struct):
    """One partition, or the total of all."""

    log_end: int
    stored: int
    duplicate: int
    quarantined: int
    erased: int
    gaps: int
    pending: int
    topic: str = ""
    partition: int | None = None

    @property
    def balanced(self) -> bool:
        """Whether every record is accounted for."""
        outcomes = self.stored + self.duplicate + self.quarantined + self.erased + self.gaps
        return self.log_end == outcomes + self.pending


class Ledger(msgspec.Struct):
    """What ``GET /v1/ledger`` answers."""

    total: LedgerRow
    partitions: list[LedgerRow]


class OutOfBalance(JourneylineError):
    """Records are not accounted for."""


def ledger(
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="print the answer as JSON")] = False,
) -> None:
    """Account for every record of the log; fails if the equation does not hold."""
    with connect(find_target(url, key, data)) as client:
        answer = ask(client, "GET", "/v1/ledger")
    found = msgspec.convert(answer, Ledger)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(answer)).decode())
    else:
        print_table(_table(found))
    for row in (found.total, *found.partitions):
        if not row.balanced:
            raise OutOfBalance(f"the ledger does not balance: {row}")


def _table(found: Ledger) -> Table:
    topic = found.partitions[0].topic if found.partitions else ""
    table = Table(title=topic, box=SIMPLE, padding=0)
    for name in ("partition", *COLUMNS):
        table.add_column(name, no_wrap=True, justify="right")
    for row in found.partitions:
        cells = (str(getattr(row, name)) for name in COLUMNS)
        table.add_row(str(row.partition), *cells)
    table.add_section()
    table.add_row("total", *(str(getattr(found.total, name)) for name in COLUMNS))
    return table
