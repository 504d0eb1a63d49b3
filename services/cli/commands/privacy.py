"""``journeyline export`` and ``erase``: what is held of a customer, and taking it away."""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import httpx
import msgspec
import typer

from services.cli.connection import (
    DEFAULT_DATA,
    Data,
    Key,
    Target,
    Url,
    ask,
    connect,
    find_target,
)
from shared.touchpoints import JsonObject

Ref = Annotated[str, typer.Argument(help="a customer id, or kind:value such as email:ana@x.com")]

PATIENCE = httpx.Timeout(600, connect=5)
"""Whole tables are searched."""


class Identifier(msgspec.Struct):
    """A name of the customer."""

    kind: str
    value: str


class Listed(msgspec.Struct):
    """What a dry run answers."""

    customer_id: str
    identifiers: list[Identifier]


def export(
    ref: Ref,
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="a file; without it, the terminal")
    ] = None,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Write out everything that is held about a customer, as JSON."""
    document = _ask(find_target(url, key, data), "GET", f"{_path(ref)}/export")
    text = msgspec.json.format(msgspec.json.encode(document)).decode()
    if output is None:
        typer.echo(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
        typer.echo(f"written to {output}")


def erase(
    ref: Ref,
    *,
    suppress: Annotated[
        bool, typer.Option("--suppress/--no-suppress", help="keep out what comes of them later")
    ] = True,
    reason: Annotated[str | None, typer.Option("--reason", help="kept in the audit")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only list the identifiers")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Erase a customer for good, and print the certificate."""
    target = find_target(url, key, data)
    answer = _ask(target, "DELETE", _path(ref), params={"dry_run": "true"})
    listed = msgspec.convert(answer, Listed)
    typer.echo(
        f"customer {listed.customer_id} has {len(listed.identifiers)} identifiers:", err=True
    )
    for name in listed.identifiers:
        typer.echo(f"  {name.kind}:{name.value}", err=True)
    if dry_run:
        return
    if not yes:
        typer.confirm("erase everything that is held about them?", abort=True, err=True)
    body = {"identifiers": listed.identifiers, "suppress": suppress, "reason": reason}
    order = {name: value for name, value in body.items() if value is not None}
    done = _ask(target, "DELETE", _path(ref), body=msgspec.to_builtins(order))
    typer.echo(msgspec.json.format(msgspec.json.encode(done["certificate"])).decode())


def _ask(
    target: Target,
    method: str,
    path: str,
    *,
    params: dict[str, str] | None = None,
    body: JsonObject | None = None,
) -> JsonObject:
    with connect(target) as client:
        client.timeout = PATIENCE
        return ask(client, method, path, params=params, json=body)


def _path(ref: str) -> str:
    return f"/v1/customers/{quote(ref, safe='')}"
