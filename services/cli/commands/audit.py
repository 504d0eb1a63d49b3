"""``journeyline audit``: who did what, and whether the record of it hangs together."""

from typing import Annotated

import msgspec
import typer
from rich.box import SIMPLE
from rich.table import Table

from services.cli.connection import DEFAULT_DATA, Data, Key, Url, ask, connect, find_target
from services.cli.tables import plain, print_table

app = typer.Typer(help="Look at the audit, and verify it.", no_args_is_help=True)


class Entry(msgspec.Struct):
    """Something that was done."""

    id: int
    at: str
    actor: str
    action: str
    subject: str
    reason: str | None = None


class Page(msgspec.Struct):
    """What ``GET /v1/audit`` answers."""

    items: list[Entry]


class Verification(msgspec.Struct):
    """What ``GET /v1/audit/verification`` answers."""

    entries: int
    intact: bool
    broken: list[int]
    head: str | None = None


@app.command("list")
def list_entries(
    *,
    actor: Annotated[str | None, typer.Option("--actor", help="such as key:ID")] = None,
    action: Annotated[str | None, typer.Option("--action", help="such as key.revoked")] = None,
    since: Annotated[str | None, typer.Option("--since", help="done then or later")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500)] = 20,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """List what was done, and read with secret keys, the newest first."""
    given = {"actor": actor, "action": action, "since": since, "limit": limit}
    params = {name: value for name, value in given.items() if value is not None}
    with connect(find_target(url, key, data)) as client:
        page = msgspec.convert(ask(client, "GET", "/v1/audit", params=params), Page)
    table = Table("id", "at", "actor", "action", "subject", "reason", box=SIMPLE)
    for entry in page.items:
        cells = (str(entry.id), entry.at, entry.actor, entry.action, entry.subject)
        table.add_row(*map(plain, (*cells, entry.reason or "-")))
    print_table(table)


@app.command("verify")
def verify(url: Url = None, key: Key = None, data: Data = DEFAULT_DATA) -> None:
    """Compute every entry's hash anew; fails if one was changed, taken out or put in."""
    with connect(find_target(url, key, data)) as client:
        found = msgspec.convert(ask(client, "GET", "/v1/audit/verification"), Verification)
    typer.echo(f"entries {found.entries}, broken {len(found.broken)}, head {found.head or '-'}")
    for entry in found.broken:
        typer.echo(f"entry {entry} does not follow from the one before it, or is gone", err=True)
    if not found.intact:
        raise typer.Exit(1)
