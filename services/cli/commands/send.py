"""``journeyline send``: post the touchpoints of files."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from services.cli.connection import DEFAULT_DATA, Data, Key, Target, Url, find_target
from services.cli.rows import count_lines, open_rows
from services.cli.sending import Counts, Mark, MarkFile, send_rows

Files = Annotated[
    list[Path],
    typer.Argument(exists=True, dir_okay=False, readable=True, help="NDJSON or CSV, also gzipped"),
]
Source = Annotated[
    str | None, typer.Option("--source", help="with a secret key: the source to post for")
]


def send(
    files: Files,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    source: Source = None,
) -> None:
    """Post the touchpoints of FILES.

    An interrupted run goes on where it stopped; sending a file again doubles nothing. Ends with
    exact counts; a rejected line makes the exit code 1, after all others were sent.
    """
    target = find_target(url, key, data)
    total = Counts()
    console = Console(stderr=True)
    for path in files:
        counts = _send_file(path, target, source, console)
        total.accepted += counts.accepted
        total.rejected += counts.rejected
        for complaint in counts.complaints:
            console.print(f"{path}: {complaint}", style="red", markup=False, highlight=False)
        if counts.rejected > len(counts.complaints):
            console.print(f"{path}: … and {counts.rejected - len(counts.complaints)} more")
    typer.echo(f"{total.accepted} accepted, {total.rejected} rejected")
    if total.rejected:
        raise typer.Exit(1)


def _send_file(path: Path, target: Target, source: str | None, console: Console) -> Counts:
    marks = MarkFile(path, target.url)
    mark = marks.load()
    if mark.line:
        console.print(f"{path}: goes on after line {mark.line}", highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[sent]}"))
    with (
        Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar,
        open_rows(path) as rows,
    ):
        task = bar.add_task(path.name, total=count_lines(path), completed=mark.line, sent="")

        def confirmed(reached: Mark) -> None:
            marks.save(reached)
            sent = f"{reached.accepted} accepted, {reached.rejected} rejected"
            bar.update(task, completed=reached.line, sent=sent)

        def waiting(why: str) -> None:
            bar.update(task, sent=why)

        counts = asyncio.run(
            send_rows(rows, target, mark, source=source, confirmed=confirmed, waiting=waiting)
        )
    marks.remove()
    return counts
