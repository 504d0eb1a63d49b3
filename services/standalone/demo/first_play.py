"""The demo on a first start: played in once, gone on with where it was interrupted."""

from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.cli.connection import Target
from services.standalone.demo.playing import Played, play, wait_until_classified
from services.standalone.demo.stories import ANA
from shared.errors import JourneylineError

_MARK: Final = "demo.unfinished"


async def play_on_first_start(
    target: Target, folder: Path, console: Console, *, is_first_start: bool
) -> None:
    """Play the demo if this folder is new, or if it was being played when it was left.

    A demo that cannot be played is said and does not stop the product.
    """
    mark = folder / _MARK
    if is_first_start:
        mark.touch()
    if not mark.exists():
        return
    try:
        await _play(target, console)
    except JourneylineError as error:
        told = f"The demo could not be played: {error.message}"
        console.print(told, markup=False, soft_wrap=True)
        return
    mark.unlink(missing_ok=True)
    console.print(
        "The demo shop is there, all of it made up. Look at one of its customers:\n"
        f"  {target.url}/\n  .venv/bin/journeyline timeline {ANA}\n"
        "`journeyline demo --remove` takes it out again.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


async def _play(target: Target, console: Console) -> Played:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        sending = bar.add_task("playing the demo in", total=None)
        classifying = bar.add_task("classifying it", total=None)

        def sent(done: int, total: int) -> None:
            bar.update(sending, completed=done, total=total)

        def classified(done: int, total: int) -> None:
            bar.update(classifying, completed=done, total=total)

        def waiting(why: str) -> None:
            bar.console.print(why, markup=False)

        played = await play(target, progress=sent, waiting=waiting)
        await wait_until_classified(target, progress=classified)
    return played
