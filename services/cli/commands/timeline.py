"""``journeyline timeline``: one customer's touchpoints and transitions."""

from typing import Annotated

import msgspec
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from services.cli.connection import DEFAULT_DATA, Data, Key, Url, ask, connect, find_target
from services.cli.paths import customer_path
from services.cli.tables import plain, print_table

Ref = Annotated[str, typer.Argument(help="a customer id, or kind:value such as email:ana@x.com")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=500, help="how many of the newest")]


class Stage(msgspec.Struct):
    """The present stage."""

    key: str
    label: str
    since: str


class Activity(msgspec.Struct):
    """The present activity."""

    state: str
    since: str


class Next(msgspec.Struct):
    """What happens if nothing comes."""

    at: str
    axis: str
    to: str
    rule: str


class Journey(msgspec.Struct):
    """The part of a journey that the heading shows."""

    model: str
    cycle: int
    stage: Stage | None = None
    activity: Activity | None = None
    next: Next | None = None


class Item(msgspec.Struct, rename={"from_": "from"}):
    """One line of a timeline, of any kind."""

    kind: str
    at: str
    source: str = ""
    event_id: str = ""
    channel: str = ""
    type: str = ""
    axis: str = ""
    move: str = ""
    from_: str | None = None
    to: str = ""
    rule: str = ""
    action: str = ""
    a: str = ""
    b: str = ""


def timeline(
    ref: Ref,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    limit: Limit = 50,
    *,
    explain: Annotated[
        bool, typer.Option("--explain", help="say why there, and why not further")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the answer as JSON")] = False,
) -> None:
    """Show the timeline of one customer, newest first, and where the journey stands."""
    path = customer_path(ref)
    with connect(find_target(url, key, data)) as client:
        journey = ask(client, "GET", f"{path}/journey")
        page = ask(client, "GET", f"{path}/timeline", params={"limit": limit})
        explanation = ask(client, "GET", f"{path}/explanation") if explain else None
    if as_json:
        answer = {"journey": journey, "timeline": page}
        if explanation is not None:
            answer["explanation"] = explanation
        typer.echo(msgspec.json.format(msgspec.json.encode(answer)).decode())
        return
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(_heading(msgspec.convert(journey, Journey)))
    if explanation is not None:
        for sentence in msgspec.convert(explanation["text"], list[str]):
            console.print(plain(f"  {sentence}"))
    print_table(_table(msgspec.convert(page["items"], list[Item])))


def _heading(journey: Journey) -> str:
    stage = f"{journey.stage.label} since {journey.stage.since}" if journey.stage else "no stage"
    active = f", {journey.activity.state}" if journey.activity else ""
    text = f"{stage}{active}, cycle {journey.cycle} (model {journey.model})"
    if journey.next:
        due = journey.next
        text += f"\nif nothing comes: {due.axis} becomes {due.to} at {due.at} ({due.rule})"
    return text


def _table(items: list[Item]) -> Table:
    table = Table(box=SIMPLE)
    table.add_column("at", no_wrap=True, min_width=20)
    for name in ("what", "where", "from"):
        table.add_column(name, overflow="fold")
    for item in items:
        match item.kind:
            case "touchpoint":
                origin = plain(f"{item.source}/{item.event_id}")
                table.add_row(item.at, plain(item.type), item.channel, origin)
            case "transition":
                move = f"{item.axis}: {item.from_ or '-'} → {item.to}"
                table.add_row(item.at, plain(move), item.move, plain(item.rule), style="bold")
            case _:
                joined = plain(f"{item.action}: {item.a} — {item.b}")
                table.add_row(item.at, joined, "identity", "")
    return table
