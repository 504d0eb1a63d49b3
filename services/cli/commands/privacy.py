"""``journeyline export`` and ``erase``: what is held of a customer, and taking it away."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final
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

WHOM: Final = "a customer id, or kind:value such as email:ana@x.com"
Ref = Annotated[str, typer.Argument(help=WHOM)]

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
    ref: Annotated[str | None, typer.Argument(help=WHOM)] = None,
    *,
    lift: Annotated[
        str | None,
        typer.Option("--lift", help="a certificate's id: let its identifiers be used again"),
    ] = None,
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
    """Erase a customer for good, and print the certificate; or lift an erasure's suppression."""
    if (ref is None) == (lift is None) or (lift is not None and dry_run):
        raise typer.BadParameter("name a customer to erase, or a certificate with --lift alone")
    target = find_target(url, key, data)
    if lift is not None:
        _lift(target, lift, reason)
    elif ref is not None:
        names = _listed(target, ref)
        if dry_run:
            return
        if not yes:
            typer.confirm("erase everything that is held about them?", abort=True, err=True)
        _erase(target, ref, {"identifiers": names, "suppress": suppress, "reason": reason})


def _listed(target: Target, ref: str) -> list[Identifier]:
    """Show what a customer is called, and return it."""
    answer = _ask(target, "DELETE", _path(ref), params={"dry_run": "true"})
    listed = msgspec.convert(answer, Listed)
    typer.echo(
        f"customer {listed.customer_id} has {len(listed.identifiers)} identifiers:", err=True
    )
    for name in listed.identifiers:
        typer.echo(f"  {name.kind}:{name.value}", err=True)
    return listed.identifiers


def _erase(target: Target, ref: str, order: Mapping[str, object]) -> None:
    given = {name: value for name, value in order.items() if value is not None}
    done = _ask(target, "DELETE", _path(ref), body=msgspec.to_builtins(given))
    typer.echo(msgspec.json.format(msgspec.json.encode(done["certificate"])).decode())


def _lift(target: Target, certificate: str, reason: str | None) -> None:
    path = f"/v1/erasures/{quote(certificate, safe='')}/lift"
    done = _ask(target, "POST", path, body={"reason": reason or ""})
    lifted = done["lifted_at"]
    what = "nothing was suppressed" if lifted is None else f"lifted at {lifted}"
    typer.echo(f"{what}: the identifiers may be used again; what was erased stays erased")


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
