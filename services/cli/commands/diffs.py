"""``journeyline model diff``: what a version would change, as a matrix and customer by customer."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Final

import httpx
import msgspec
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from services.cli.commands.releases import (
    SHOWN_DIGITS,
    FoldedSoFar,
    Wanted,
    named_version,
    version_of,
)
from services.cli.connection import DEFAULT_DATA, Data, Key, Refused, Url, ask, connect, find_target
from services.cli.tables import plain, print_table
from shared.touchpoints import JsonObject

_PATIENCE_SECONDS: Final = "1"
_NOTHING: Final = "-"
_FEWEST_DIGITS_OF_A_VERSION: Final = 6
_HEX: Final = frozenset("0123456789abcdef")


class _Version(msgspec.Struct):
    version: str
    key: str


class _Flow(msgspec.Struct, rename={"from_": "from"}):
    from_: str | None
    to: str | None
    same: bool
    customers: int
    differ: int


class _Touchpoint(msgspec.Struct):
    source: str
    event_id: str


class _Move(msgspec.Struct):
    to: str
    at: str
    rule: str


class _First(msgspec.Struct, rename={"from_": "from"}):
    axis: str
    at: str
    touchpoint: _Touchpoint | None
    from_: _Move | None
    to: _Move | None


class _Standing(msgspec.Struct):
    stage: str | None
    activity: str | None


class _Item(msgspec.Struct, rename={"from_": "from"}):
    customer_id: str
    from_: _Standing
    to: _Standing
    first: _First


class _Stages(msgspec.Struct, rename={"from_": "from"}):
    from_: list[str]
    to: list[str]


class _Diff(msgspec.Struct):
    """An answer; one that is still on its way has ``progress`` and no counts."""

    version: str
    key: str
    against: _Version
    state: str
    next: str | None
    progress: FoldedSoFar | None = None
    customers: int = 0
    differ: int = 0
    moved: int = 0
    total: int = 0
    stages: _Stages = msgspec.field(default_factory=lambda: _Stages([], []))
    flows: list[_Flow] = []
    items: list[_Item] = []


def diff(
    wanted: Wanted,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    *,
    against: Annotated[
        str | None,
        typer.Option("--against", help="version or key; else the active version of its key"),
    ] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="RFC 3339; else now")] = None,
    before: Annotated[
        str | None, typer.Option("--from", help="only customers in this stage now, or none")
    ] = None,
    after: Annotated[
        str | None, typer.Option("--to", help="only customers who would be in this stage, or none")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="customers shown")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="print the answer as JSON")] = False,
) -> None:
    """Say what a stage model would change if it were in force; nothing is changed.

    All history is folded under it and under the one in force. A matrix shows how many customers
    stand where under each; below it stand the first customers whose journeys differ.
    """
    with connect(find_target(url, key, data)) as client:
        asked = {
            "against": against and _spelt_out(client, against),
            "as_of": as_of,
            "from": before,
            "to": after,
            "limit": str(limit),
        }
        params = {name: value for name, value in asked.items() if value is not None}
        answer = _wait_for(client, f"/v1/models/{version_of(client, wanted)}/diff", params)
        told = msgspec.convert(answer, _Diff)
        names = {} if as_json else _names(client, told.items)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(answer)).decode())
        return
    _print(told, names)


def _spelt_out(client: httpx.Client, name: str) -> str:
    """Return the whole version of which *name* is the beginning; a key is left as it is."""
    is_digits = len(name) >= _FEWEST_DIGITS_OF_A_VERSION and _HEX.issuperset(name)
    return named_version(client, name) if is_digits else name


def _wait_for(client: httpx.Client, path: str, asked: Mapping[str, str]) -> JsonObject:
    """Ask until the diff is done, and show how far it is."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    cursor: dict[str, str] = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("customers compared", total=None)
        while True:
            params = {**asked, "timeout": _PATIENCE_SECONDS, **cursor}
            answer = ask(client, "GET", path, params=params)
            told = msgspec.convert(answer, _Diff)
            if told.progress is None:
                return answer
            bar.update(task, completed=told.progress.customers, total=told.progress.of or None)
            cursor = {"cursor": told.next or ""}


def _names(client: httpx.Client, items: Iterable[_Item]) -> dict[str, str]:
    """Return an identifier of each customer, as far as the key may read customers."""
    ids = [item.customer_id for item in items][:100]
    if not ids:
        return {}
    try:
        answer = ask(client, "POST", "/v1/customers/lookup", json={"refs": ids})
    except Refused:
        return {}
    found = msgspec.convert(answer["items"], list[_Found])
    return {
        one.ref: f"{one.identifiers[0].kind}:{one.identifiers[0].value}"
        for one in found
        if one.identifiers
    }


class _Identifier(msgspec.Struct):
    kind: str
    value: str


class _Found(msgspec.Struct):
    ref: str
    identifiers: list[_Identifier] = []


def _print(told: _Diff, names: Mapping[str, str]) -> None:
    version, against = told.version[:SHOWN_DIGITS], told.against.version[:SHOWN_DIGITS]
    typer.echo(f"{told.key} {version} against {told.against.key} {against}")
    typer.echo(
        f"{told.customers:,} customers: {told.moved:,} would stand in another stage, "
        f"{told.differ - told.moved:,} would come there another way"
    )
    if told.flows:
        print_table(_matrix(told))
        if told.differ > told.moved:
            typer.echo("in brackets: of these, who come to the same stage another way")
    if told.items:
        print_table(_customers(told.items, names))
        if told.total > len(told.items):
            typer.echo(f"{len(told.items):,} of {told.total:,} customers are shown: see --limit")


def _matrix(told: _Diff) -> Table:
    """Return rows for the stages now, columns for those that would be, and the sums of rows."""
    cells = {(flow.from_, flow.to): flow for flow in told.flows}
    rows = [stage for stage in (None, *told.stages.from_) if any(stage == row for row, _ in cells)]
    columns = [stage for stage in (None, *told.stages.to) if any(stage == to for _, to in cells)]
    table = Table("now ↓  then →", box=SIMPLE)
    for stage in columns:
        table.add_column(stage or _NOTHING, justify="right")
    table.add_column("all", justify="right")
    for stage in rows:
        row = [cells.get((stage, column)) for column in columns]
        total = sum(flow.customers for flow in row if flow is not None)
        table.add_row(stage or _NOTHING, *map(_cell, row), f"{total:,}")
    return table


def _cell(flow: _Flow | None) -> str:
    """Return how many customers; in brackets, who comes to the same stage another way."""
    if flow is None:
        return ""
    other_way = f" ({flow.differ:,})" if flow.same and flow.differ else ""
    return f"{flow.customers:,}{other_way}"


def _customers(items: Iterable[_Item], names: Mapping[str, str]) -> Table:
    table = Table("customer", "now", "then", "differs from", "now by", "then by", box=SIMPLE)
    for item in items:
        table.add_row(
            plain(names.get(item.customer_id, item.customer_id)),
            _stands(item.from_),
            _stands(item.to),
            item.first.at,
            _moves(item.first.from_, item.first.at),
            _moves(item.first.to, item.first.at),
        )
    return table


def _stands(standing: _Standing) -> str:
    return f"{standing.stage or _NOTHING}, {standing.activity or _NOTHING}"


def _moves(move: _Move | None, first_at: str) -> str:
    """Return what a move is made by and where it leads; when, if that is later than the first."""
    if move is None:
        return _NOTHING
    later = f", {move.at}" if move.at != first_at else ""
    return f"{move.rule} → {move.to}{later}"
