"""``journeyline send``: post the touchpoints of files."""

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from services.cli.connection import DEFAULT_DATA, Data, Key, Target, Url, connect, find_target
from services.cli.rows import count_lines, open_rows
from services.cli.sending import Counts, Mark, MarkFile, send_rows
from shared.files.columns import Layout
from shared.files.file_times import FileTimes
from shared.source_documents import column_map_of

Files = Annotated[
    list[Path],
    typer.Argument(exists=True, dir_okay=False, readable=True, help="NDJSON or CSV, also gzipped"),
]
Source = Annotated[
    str | None, typer.Option("--source", help="with a secret key: the source to post for")
]
Columns = Annotated[
    str | None,
    typer.Option("--map", help="JSON: which column becomes which member of a touchpoint"),
]
RowType = Annotated[str | None, typer.Option("--type", help="of rows that name none")]
RowChannel = Annotated[str | None, typer.Option("--channel", help="of rows that name none")]
TimeFormat = Annotated[
    str | None, typer.Option("--time-format", help="how times are written: '%d.%m.%Y %H:%M'")
]
TimeZone = Annotated[
    str | None, typer.Option("--time-zone", help="where times are from: Europe/Berlin, or +01:00")
]


def send(  # noqa: PLR0917 - Typer makes options of them
    files: Files,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    source: Source = None,
    columns: Columns = None,
    row_type: RowType = None,
    channel: RowChannel = None,
    time_format: TimeFormat = None,
    time_zone: TimeZone = None,
) -> None:
    """Post the touchpoints of FILES.

    An interrupted run goes on where it stopped; sending a file again doubles nothing. Ends with
    exact counts; a rejected line makes the exit code 1, after all others were sent.
    """
    layout = Layout(_columns(columns), row_type, channel, FileTimes.stated(time_format, time_zone))
    target = find_target(url, key, data)
    with connect(target) as client:
        client.get("/livez")  # who is not there at all need not be waited for
    total = Counts()
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for path in files:
        counts = _send_file(path, layout, target, source, console)
        total.accepted += counts.accepted
        total.rejected += counts.rejected
        for complaint in counts.complaints:
            console.print(f"{path}: {complaint}", style="red", markup=False)
        if counts.rejected > len(counts.complaints):
            more = counts.rejected - len(counts.complaints)
            console.print(f"{path}: … and {more} more", markup=False)
    typer.echo(f"{total.accepted} accepted, {total.rejected} rejected")
    if total.rejected:
        raise typer.Exit(1)


def _columns(text: str | None) -> Mapping[str, str]:
    if text is None:
        return {}
    try:
        return column_map_of(msgspec.json.decode(text))
    except msgspec.DecodeError as error:
        raise typer.BadParameter(f"must be a JSON object: {error}", param_hint="--map") from None


def _send_file(
    path: Path, layout: Layout, target: Target, source: str | None, console: Console
) -> Counts:
    marks = MarkFile(path, target, source, layout)
    mark = marks.load()
    if mark.line:
        console.print(f"{path}: goes on after line {mark.line}", markup=False)
    with _progress(path, mark, console) as shown, open_rows(path, layout) as rows:

        def confirmed(reached: Mark) -> None:
            marks.save(reached)
            shown.confirmed(reached)

        try:
            counts = asyncio.run(
                send_rows(
                    rows, target, mark, source=source, confirmed=confirmed, waiting=shown.waiting
                )
            )
        except KeyboardInterrupt:
            told = f"{path}: stopped after line {mark.line}; the same command goes on from there"
            console.print(told, markup=False)
            raise
    marks.remove()
    return counts


class _Shown:
    """How far a file is: a bar on a terminal, elsewhere only why it has to wait."""

    def __init__(self, bar: Progress, task: TaskID, name: str) -> None:
        self._bar = bar
        self._task = task
        self._name = name
        self._why = ""

    def confirmed(self, reached: Mark) -> None:
        """Show that everything up to *reached* has its verdict."""
        sent = f"{reached.accepted} accepted, {reached.rejected} rejected"
        self._bar.update(self._task, completed=reached.line, sent=sent)
        self._why = ""

    def waiting(self, why: str) -> None:
        """Show why nothing is sent, once each time."""
        self._bar.update(self._task, sent=why)
        if self._bar.disable and why != self._why:
            self._bar.console.print(f"{self._name}: {why}", markup=False)
        self._why = why


@contextmanager
def _progress(path: Path, mark: Mark, console: Console) -> Generator[_Shown]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[sent]}"))
    hidden = not console.is_terminal
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=hidden
    ) as bar:
        total = None if hidden else count_lines(path)
        task = bar.add_task(escape(path.name), total=total, completed=mark.line, sent="")
        yield _Shown(bar, task, str(path))
