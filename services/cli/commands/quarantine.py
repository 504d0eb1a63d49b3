"""``journeyline quarantine``: look at refused items, repair them, send them on or give them up."""

from typing import Annotated, Final

import httpx
import msgspec
import typer
from rich.box import SIMPLE
from rich.table import Table

from services.cli.connection import (
    DEFAULT_DATA,
    Data,
    Key,
    Refused,
    Target,
    Url,
    ask,
    connect,
    find_target,
)
from services.cli.tables import plain, print_table
from shared.errors import Fault, Invalid
from shared.touchpoints import JsonObject, JsonValue

app = typer.Typer(
    help="List, show, repair and redrive, or discard refused items.", no_args_is_help=True
)

Reason = Annotated[str | None, typer.Option("--reason", help="only items refused for this")]
Source = Annotated[str | None, typer.Option("--source", help="only items of this source")]
Since = Annotated[str | None, typer.Option("--since", help="only items received then or later")]
Status = Annotated[str | None, typer.Option("--status", help="open, redriven or discarded")]
ItemId = Annotated[str, typer.Argument(help="the item's id, as `quarantine list` shows it")]

REDRIVING: Final = httpx.Timeout(300, connect=5)
"""Ten thousand items are repaired, judged and appended in one request."""


class Item(msgspec.Struct):
    """A line of the list, or what became of an item."""

    id: str
    source: str
    status: str
    reason: str = ""
    event_id: str | None = None
    received_at: str = ""
    message: str = ""


class Group(msgspec.Struct):
    """How many items there are for a reason."""

    reason: str
    count: int


class Page(msgspec.Struct):
    """What ``GET /v1/quarantine`` answers."""

    items: list[Item]
    groups: list[Group]
    next: str | None = None


class Move(msgspec.Struct, rename={"from_": "from"}):
    """How many customers go from one stage to another."""

    customers: int
    from_: str | None = None
    to: str | None = None


class Effects(msgspec.Struct):
    """What a dry run shows."""

    touchpoints: int
    duplicates: int
    customers: int
    new_customers: int
    journeys_changed: int
    moves: list[Move]


class Outcome(msgspec.Struct):
    """What a redrive answers."""

    matched: int
    redriven: int
    still_wrong: int
    items: list[Item]
    effects: Effects | None = None


@app.command("list")
def list_items(
    *,
    reason: Reason = None,
    source: Source = None,
    since: Since = None,
    status: Status = "open",
    limit: Annotated[int, typer.Option("--limit", min=1, max=500)] = 20,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Count refused items by reason, and list the newest."""
    given = {"reason": reason, "source": source, "since": since, "status": status, "limit": limit}
    params = {name: value for name, value in given.items() if value is not None}
    with connect(find_target(url, key, data)) as client:
        page = msgspec.convert(ask(client, "GET", "/v1/quarantine", params=params), Page)
    groups = Table("reason", "items", box=SIMPLE)
    for group in page.groups:
        groups.add_row(plain(group.reason), str(group.count))
    print_table(groups)
    table = Table("id", "received", "source", "event id", "reason", "status", box=SIMPLE)
    for item in page.items:
        cells = (item.id, item.received_at, item.source, item.event_id or "-", item.reason)
        table.add_row(*map(plain, (*cells, item.status)))
    print_table(table)
    if page.next is not None:
        typer.echo(f"the newest {len(page.items)}; --limit shows more, --reason and --source fewer")


@app.command("show")
def show_item(item_id: ItemId, url: Url = None, key: Key = None, data: Data = DEFAULT_DATA) -> None:
    """Show one item: what was sent, as it came and as it was read, and everything wrong with it."""
    with connect(find_target(url, key, data)) as client:
        answer = ask(client, "GET", f"/v1/quarantine/{item_id}")
    typer.echo(msgspec.json.format(msgspec.json.encode(answer)).decode())


@app.command("redrive")
def redrive(
    item_id: Annotated[
        str | None, typer.Argument(help="an item; without it, all open ones")
    ] = None,
    *,
    reason: Reason = None,
    source: Source = None,
    since: Since = None,
    move: Annotated[
        list[str] | None,
        typer.Option("--move", help="FROM=TO, dotted: a value that stands in the wrong member"),
    ] = None,
    patch: Annotated[str | None, typer.Option("--patch", help="a JSON merge patch")] = None,
    item: Annotated[str | None, typer.Option("--item", help="JSON in place of the item")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="only show what it would do to journeys")
    ] = False,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Repair items and send them on; what is still wrong stays, and makes the exit code 1."""
    body: JsonObject = {"move": _moves(move or ()), "dry_run": dry_run}
    body |= {} if patch is None else {"patch": _json("--patch", patch)}
    chosen = {"reason": reason, "source": source, "since": since}
    target = find_target(url, key, data)
    if item_id is None:
        if item is not None:
            raise typer.BadParameter("--item repairs one item: name it")
        body["filter"] = {name: value for name, value in chosen.items() if value is not None}
        outcome = _redrive_all(target, body, once=dry_run)
    else:
        body |= {} if item is None else {"item": _json("--item", item)}
        outcome = _ask(target, f"/v1/quarantine/{item_id}/redrive", body)
    _tell(outcome, dry_run=dry_run)
    if outcome.still_wrong:
        raise typer.Exit(1)


@app.command("discard")
def discard(
    item_id: ItemId,
    *,
    reason: Annotated[str, typer.Option("--reason", help="why it is given up")],
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Give one item up for good."""
    with connect(find_target(url, key, data)) as client:
        ask(client, "POST", f"/v1/quarantine/{item_id}/discard", json={"reason": reason})
    typer.echo(f"{item_id} is discarded")


def _redrive_all(target: Target, body: JsonObject, *, once: bool) -> Outcome:
    """Redrive what the filter selects, some thousands a request, until nothing more is redriven."""
    total = more = _ask(target, "/v1/quarantine/redrive", body)
    while not once and more.redriven and more.matched > more.redriven + more.still_wrong:
        try:
            more = _ask(target, "/v1/quarantine/redrive", body)
        except Refused:  # all that is left is wrong
            break
        total.redriven += more.redriven
        total.still_wrong = more.still_wrong
    return total


def _ask(target: Target, path: str, body: JsonObject) -> Outcome:
    with connect(target) as client:
        client.timeout = REDRIVING
        return msgspec.convert(ask(client, "POST", path, json=body), Outcome)


def _tell(outcome: Outcome, *, dry_run: bool) -> None:
    for item in outcome.items:
        if item.message:
            typer.echo(f"{item.id}: {item.message}", err=True)
    if outcome.effects is not None:
        effects = outcome.effects
        typer.echo(
            f"would store {effects.touchpoints} touchpoints ({effects.duplicates} are there "
            f"already) of {effects.customers} customers, {effects.new_customers} of them new; "
            f"{effects.journeys_changed} journeys would change"
        )
        for moved in effects.moves:
            typer.echo(f"  {moved.from_ or '-'} → {moved.to or '-'}: {moved.customers}")
    verb = "would be" if dry_run else "were"
    count = outcome.matched - outcome.still_wrong if dry_run else outcome.redriven
    typer.echo(
        f"{outcome.matched} matched, {count} {verb} redriven, {outcome.still_wrong} still wrong"
    )


def _moves(texts: list[str] | tuple[str, ...]) -> dict[str, str]:
    moves = dict(text.partition("=")[::2] for text in texts)
    if not all(moves.values()):
        raise typer.BadParameter("--move must be FROM=TO, such as properties.card=customer.card")
    return moves


def _json(option: str, text: str) -> JsonValue:
    try:
        value: JsonValue = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        fault = Fault(option, "bad_json", f"must be a JSON object: {error}")
        raise Invalid(f"{option} cannot be read: {error}", faults=[fault]) from error
    return value
