"""``journeyline links`` and ``unlink``: who is one customer, by the word of a person."""

from typing import Annotated

import msgspec
import typer
from rich.box import SIMPLE
from rich.table import Table

from services.cli.connection import DEFAULT_DATA, Data, Key, Url, ask, connect, find_target
from services.cli.paths import customer_path
from services.cli.tables import plain, print_table
from shared.touchpoints import JsonObject

app = typer.Typer(help="Show, make and take back links between identifiers.", no_args_is_help=True)

Ref = Annotated[str, typer.Argument(metavar="REF", help="a customer id, or kind:value")]
LinkId = Annotated[str, typer.Argument(metavar="LINK", help="the link's id, from `links list`")]
Reason = Annotated[str, typer.Option("--reason", help="why; kept in the audit")]
AsJson = Annotated[bool, typer.Option("--json", help="print the answer as JSON")]


class _Link(msgspec.Struct):
    """A link or a bar, as the API tells of it."""

    id: str
    a: str
    b: str
    at: str
    refused: bool = False
    barred: bool = False
    event_id: str | None = None
    source: str | None = None
    actor: str | None = None
    reason: str | None = None

    @property
    def state(self) -> str:
        """What has become of it, in one word."""
        return "barred" if self.barred else "refused" if self.refused else "linked"

    @property
    def by(self) -> str:
        """Who made it."""
        return self.actor or f"{self.source}/{self.event_id}"


class _Changed(msgspec.Struct):
    changed: bool
    customers: dict[str, str]
    refused: bool = False


class _Shared(msgspec.Struct):
    identifier: str
    refused: int


@app.command("list")
def list_links(
    ref: Ref,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    *,
    as_json: AsJson = False,
) -> None:
    """List the links of a customer, its conflicts and its bars."""
    with connect(find_target(url, key, data)) as client:
        answer = ask(client, "GET", customer_path(ref))
    found = {name: answer[name] for name in ("links", "conflicts", "bars")}
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    table = Table(box=SIMPLE)
    for name in ("id", "a", "b", "state", "at", "by", "reason"):
        table.add_column(name, overflow="fold")
    for name, items in found.items():
        for link in msgspec.convert(items, list[_Link]):
            state = "bar" if name == "bars" else link.state
            texts = (link.a, link.b, state, link.at, link.by, link.reason or "")
            table.add_row(link.id, *map(plain, texts))
    print_table(table)


@app.command("make")
def make_link(
    a: Annotated[str, typer.Argument(metavar="A", help="kind:value")],
    b: Annotated[str, typer.Argument(metavar="B", help="kind:value")],
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    *,
    reason: Reason,
) -> None:
    """Link two identifiers, and lift the bar on them if there is one."""
    with connect(find_target(url, key, data)) as client:
        answer = ask(client, "POST", "/v1/links", json={"a": a, "b": b, "reason": reason})
    _print_change(answer)


@app.command("unlink")
def unlink_link(
    link: LinkId,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    *,
    reason: Reason,
) -> None:
    """Take a link back: its two identifiers are kept apart until somebody relinks them."""
    with connect(find_target(url, key, data)) as client:
        answer = ask(client, "POST", f"/v1/links/{link}/unlink", json={"reason": reason})
    _print_change(answer)


@app.command("relink")
def relink(
    link: LinkId,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    *,
    reason: Reason,
) -> None:
    """Restore a link that was taken back, as if it never had been."""
    with connect(find_target(url, key, data)) as client:
        answer = ask(client, "POST", f"/v1/links/{link}/relink", json={"reason": reason})
    _print_change(answer)


@app.command("shared")
def list_shared(
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    *,
    above: Annotated[int, typer.Option("--above", min=1, help="refused links")] = 50,
    as_json: AsJson = False,
) -> None:
    """List identifiers with many refused links, such as a kiosk's: perhaps block them."""
    with connect(find_target(url, key, data)) as client:
        answer = ask(client, "GET", "/v1/identifiers/shared", params={"above": above})
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(answer)).decode())
        return
    table = Table(box=SIMPLE)
    table.add_column("identifier", overflow="fold")
    table.add_column("refused links", justify="right")
    for shared in msgspec.convert(answer["items"], list[_Shared]):
        table.add_row(plain(shared.identifier), str(shared.refused))
    print_table(table)


def unlink(
    ref: Ref,
    identifier: Annotated[str, typer.Argument(metavar="IDENTIFIER", help="kind:value")],
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    *,
    reason: Reason,
) -> None:
    """Take an identifier out of a customer: it is kept apart from all others they have."""
    body = {"identifier": identifier, "reason": reason}
    with connect(find_target(url, key, data)) as client:
        answer = ask(client, "POST", f"{customer_path(ref)}/unlink", json=body)
    _print_change(answer)


def _print_change(answer: JsonObject) -> None:
    change = msgspec.convert(answer, _Changed)
    if not change.changed:
        typer.echo("nothing changed: it was so already")
    elif change.refused:
        typer.echo("kept as a conflict: a guard of the policy refuses to join the two")
    table = Table(box=SIMPLE)
    for name in ("identifier", "customer"):
        table.add_column(name, overflow="fold")
    for identifier, customer_id in change.customers.items():
        table.add_row(plain(identifier), customer_id)
    print_table(table)
