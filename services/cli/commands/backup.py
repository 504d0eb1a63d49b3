"""``journeyline backup`` and ``journeyline restore``: a standalone deployment in one file."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from services.cli.connection import DEFAULT_DATA
from services.standalone.backups import back_up, restore
from shared.clock import wall_clock

DataFolder = Annotated[Path, typer.Option("--data", help="the data folder")]


def backup(
    to: Annotated[Path, typer.Argument(help="the file to write; it must not exist")],
    *,
    data: DataFolder = DEFAULT_DATA,
    log: Annotated[bool, typer.Option("--log/--no-log", help="with the log's last days")] = True,
) -> None:
    """Write database, log, secrets and first keys into one private file; the product may run."""
    made = asyncio.run(back_up(data, to, say=_say, clock=wall_clock, with_log=log))
    size = to.stat().st_size
    typer.echo(f"{to}: {size / 1e6:.1f} MB, as of {made.created_at}; keep it as you keep passwords")


def restore_backup(
    backup: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="what `journeyline backup` wrote")
    ],
    *,
    data: DataFolder = DEFAULT_DATA,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Put a backup into a data folder; the product must not run."""
    if not yes and (data / "postgres").exists():
        typer.confirm(f"replace the database in {data}?", abort=True, err=True)
    done = asyncio.run(restore(backup, data, say=_say))
    typer.echo(
        f"restored as of {done.manifest.created_at}, by journeyline {done.manifest.journeyline}"
    )
    if done.kept_log:
        typer.echo("the log in the folder reaches further: the next start reads on from there")
    typer.echo("people who were erased after that time have to be erased again")


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)
