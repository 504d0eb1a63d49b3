"""``journeyline model list|draft|shadow|activate|rollback``: the versions of a running system."""

from pathlib import Path
from time import sleep
from typing import Annotated, Final

import httpx
import msgspec
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

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
from services.cli.tables import plain, print_table
from shared.errors import NotFound
from shared.journey.lint import lint
from shared.journey.loading import load_model

Wanted = Annotated[
    str,
    typer.Argument(
        metavar="VERSION_OR_FILE", help="a version, how it begins, or a file that is stored first"
    ),
]

SHOWN_DIGITS: Final = 12
_FEWEST_DIGITS: Final = 6
_BRIEFLY: Final = {"timeout": "1"}
_PAUSE_SECONDS: Final = 0.3


class FoldedSoFar(msgspec.Struct):
    """How many customers are folded under a model."""

    customers: int
    of: int


class Release(msgspec.Struct):
    """A version of a stage model, as the API tells of it."""

    version: str
    key: str
    state: str
    title: str = ""
    default: bool = False
    activated_at: str | None = None
    progress: FoldedSoFar | None = None


class RolledBack(msgspec.Struct):
    """Which version is given up."""

    former: str = msgspec.field(name="from")


def list_models(
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="print the answer as JSON")] = False,
) -> None:
    """List the stage models of a running system, the newest version of each key first."""
    with connect(find_target(url, key, data)) as client:
        answer = ask(client, "GET", "/v1/models")
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(answer)).decode())
        return
    table = Table(box=SIMPLE)
    for name in ("key", "version", "state", "since", "title"):
        table.add_column(name, overflow="fold")
    for release in msgspec.convert(answer["items"], list[Release]):
        state = f"{release.state}, default" if release.default else release.state
        shown = release.version[:SHOWN_DIGITS]
        table.add_row(release.key, shown, state, release.activated_at, plain(release.title))
    print_table(table)


def activate(wanted: Wanted, url: Url = None, key: Key = None, data: Data = DEFAULT_DATA) -> None:
    """Put a stage model in force, in the place of the version of its key before it.

    All history is folded under it first, while touchpoints go on coming. That goes on if this
    command is stopped; the same command shows how far it is.
    """
    with connect(find_target(url, key, data)) as client:
        version = version_of(client, wanted)
        answer = ask(client, "POST", f"/v1/models/{version}/activate", params=_BRIEFLY)
        release = _wait_for(client, msgspec.convert(answer, Release))
    typer.echo(f"{release.key} {release.version[:SHOWN_DIGITS]} is {release.state}")


def shadow(
    wanted: Wanted,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    *,
    end: Annotated[bool, typer.Option("--end", help="follow it no longer")] = False,
) -> None:
    """Follow a stage model on live traffic beside the one in force, and tell nobody.

    Its counts are those of `/v1/stages?model=VERSION`, and it can be activated at once.
    """
    with connect(find_target(url, key, data)) as client:
        path = f"/v1/models/{version_of(client, wanted)}/shadow"
        if end:
            release = msgspec.convert(ask(client, "DELETE", path), Release)
        else:
            answer = ask(client, "POST", path, params=_BRIEFLY)
            release = _wait_for(client, msgspec.convert(answer, Release))
    typer.echo(f"{release.key} {release.version[:SHOWN_DIGITS]} is {release.state}")


def rollback(
    name: Annotated[
        str | None, typer.Argument(metavar="[KEY]", help="of the model; else the default model's")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="why; kept in the audit")] = "",
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Bring the version of a stage model back that was in force before the present one.

    Rolling back again goes further back. History is folded first, as for `model activate`, and
    that goes on if this command is stopped.
    """
    with connect(find_target(url, key, data)) as client:
        params = _BRIEFLY if name is None else {**_BRIEFLY, "key": name}
        body = {"reason": reason}
        answer = ask(client, "POST", "/v1/models/rollback", params=params, json=body)
        left = msgspec.convert(answer, RolledBack).former[:SHOWN_DIGITS]
        release = _wait_for(client, msgspec.convert(answer, Release))
    came = release.version[:SHOWN_DIGITS]
    typer.echo(f"{release.key} {came} is {release.state} again, {left} is not")


def draft(
    model: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="YAML or JSON")],
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Store MODEL in a running system, where nothing follows it until it is activated.

    Of a version that is known, labels, title, goals and examples are replaced.
    """
    document = model.read_bytes()
    warnings = lint(load_model(document))
    for warning in warnings:
        typer.echo(f"warning: {warning.path}: {warning.message}", err=True)
    with connect(find_target(url, key, data)) as client:
        release = _stored(client, document)
    told = f"{release.key} {release.version[:SHOWN_DIGITS]} is {release.state}"
    typer.echo(f"{told}, {len(warnings)} warnings")


def version_of(client: httpx.Client, wanted: str) -> str:
    """Return the version that a command is about, after storing it if it is a file.

    Raises:
        NotFound: it is the beginning of none, or of several.
        BadParameter: it is the name of a file that is not there.
    """
    file = Path(wanted)
    if file.is_file():
        return _stored(client, file.read_bytes()).version
    if file.suffix:
        raise typer.BadParameter(f"there is no file {wanted}", param_hint="VERSION_OR_FILE")
    return named_version(client, wanted)


def _stored(client: httpx.Client, document: bytes) -> Release:
    answer = client.post("/v1/models", content=document)
    if not answer.is_success:
        raise refusal_of(answer)
    return msgspec.json.decode(answer.content, type=Release)


def named_version(client: httpx.Client, beginning: str) -> str:
    """Return the one version that begins so."""
    if len(beginning) < _FEWEST_DIGITS:
        raise typer.BadParameter(
            f"give at least {_FEWEST_DIGITS} digits of a version", param_hint="VERSION_OR_FILE"
        )
    known = msgspec.convert(ask(client, "GET", "/v1/models")["items"], list[Release])
    found = [release.version for release in known if release.version.startswith(beginning)]
    if len(found) != 1:
        what = "several versions begin" if found else "there is no file, and no version begins"
        raise NotFound(f"{what} with {beginning}: `journeyline model list` shows all")
    return found[0]


def _wait_for(client: httpx.Client, release: Release) -> Release:
    """Look at *release* until it is where it shall be, and show how far that is."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("customers folded", total=None)
        while release.progress is not None:
            bar.update(task, completed=release.progress.customers, total=release.progress.of)
            sleep(_PAUSE_SECONDS)
            answer = ask(client, "GET", f"/v1/models/{release.version}")
            release = msgspec.convert(answer, Release)
    return release
