"""``journeyline policy``: what may be one customer: check a policy, show it, put one in force."""

import time
from pathlib import Path
from typing import Annotated, Final

import httpx
import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from services.cli.connection import (
    DEFAULT_DATA,
    Data,
    Key,
    Url,
    ask,
    connect,
    find_target,
    refusal_of,
)
from shared.identity.policy_documents import read_policy
from shared.identity.policy_warnings import warnings_of

app = typer.Typer(
    help="Check, show and set the identity policy: what may be one customer.",
    no_args_is_help=True,
)

File = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="YAML or JSON")
]

_PAUSE_SECONDS: Final = 0.5


class _Applying(msgspec.Struct):
    identifiers: int
    of: int


class _Warning(msgspec.Struct):
    path: str
    message: str


class _InForce(msgspec.Struct):
    applying: _Applying | None
    warnings: list[_Warning]
    changed: bool = False


@app.command("check")
def check(file: File) -> None:
    """Check a policy without a running system, and say what is odd about it."""
    policy = read_policy(file.read_bytes())
    for warning in warnings_of(policy):
        typer.echo(f"warning: {warning.path} {warning.message}", err=True)
    typer.echo(f"{file} is a policy of {len(policy.kinds)} kinds")


@app.command("show")
def show(url: Url = None, key: Key = None, data: Data = DEFAULT_DATA) -> None:
    """Print the policy in force as JSON, with who set it and how far it is applied."""
    with connect(find_target(url, key, data)) as client:
        answer = ask(client, "GET", "/v1/policy")
    typer.echo(msgspec.json.format(msgspec.json.encode(answer)).decode())


@app.command("set")
def set_(
    file: File,
    reason: Annotated[str, typer.Option("--reason", help="why; kept in the audit")],
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Put a policy in force, and wait until all customers follow from it.

    That goes on if this command is stopped; the same command shows how far it is.
    """
    with connect(find_target(url, key, data)) as client:
        answer = client.put("/v1/policy", content=file.read_bytes(), params={"reason": reason})
        if not answer.is_success:
            raise refusal_of(answer)
        in_force = msgspec.json.decode(answer.content, type=_InForce)
        for warning in in_force.warnings:
            typer.echo(f"warning: {warning.path} {warning.message}", err=True)
        _wait_for(client, in_force)
    typer.echo("the policy is in force" if in_force.changed else "the policy was in force already")


def _wait_for(client: httpx.Client, in_force: _InForce) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("identifiers regrouped", total=None)
        while in_force.applying is not None:
            bar.update(task, completed=in_force.applying.identifiers, total=in_force.applying.of)
            time.sleep(_PAUSE_SECONDS)
            in_force = msgspec.convert(ask(client, "GET", "/v1/policy"), _InForce)
