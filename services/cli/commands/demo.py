"""``journeyline demo``: play the demo history into a running system, or take it out again."""

import asyncio
from collections.abc import Callable
from typing import Annotated

import httpx
import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.cli.connection import (
    DEFAULT_DATA,
    Data,
    Key,
    Target,
    Url,
    connect,
    find_target,
    refusal_of,
)
from services.standalone.demo.playing import Played, play, wait_until_classified
from services.standalone.demo.stories import ANA, BEN, CLARA
from shared.instants import datetime_of

REMOVAL_TIMEOUT = httpx.Timeout(120, connect=5)

Remove = Annotated[bool, typer.Option("--remove", help="take everything of the demo out again")]


class Kept(msgspec.Struct):
    """A customer whom other sources know too."""

    customer_id: str
    touchpoints: int


class Removal(msgspec.Struct):
    """What ``DELETE /v1/demo`` answers."""

    removed: dict[str, int]
    kept: list[Kept]


def demo(
    url: Url = None, key: Key = None, data: Data = DEFAULT_DATA, *, remove: Remove = False
) -> None:
    """Play nine made-up months of a shop into the system; all of it is synthetic.

    An interrupted run goes on where it stopped; playing again doubles nothing. With --remove, all
    that came from sources named demo-… goes, and nothing else.
    """
    target = find_target(url, key, data)
    console = Console(stderr=True)
    if remove:
        typer.echo(_told_removal(_remove(target, console)))
    else:
        typer.echo(_told_played(asyncio.run(_play(target, console)), target))


async def _play(target: Target, console: Console) -> Played:
    with _progress(console) as bar:
        played = await play(target, progress=_follow(bar, "sending"), waiting=bar.console.print)
        await wait_until_classified(target, progress=_follow(bar, "classifying"))
    return played


def _remove(target: Target, console: Console) -> Removal:
    with _progress(console) as bar:
        asyncio.run(wait_until_classified(target, progress=_follow(bar, "classifying")))
    with console.status("removing …"), connect(target) as client:
        answer = client.delete("/v1/demo", timeout=REMOVAL_TIMEOUT)
    if not answer.is_success:
        raise refusal_of(answer)
    return msgspec.json.decode(answer.content, type=Removal)


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    hidden = not console.is_terminal
    return Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=hidden
    )


def _follow(bar: Progress, what: str) -> Callable[[int, int], None]:
    task = bar.add_task(what, total=None)

    def progress(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)

    return progress


def _told_played(played: Played, target: Target) -> str:
    done = f"{played.sent:,} of {played.total:,} touchpoints sent"
    if not played.sent:
        done = f"all {played.total:,} touchpoints were there already"
    ends = datetime_of(played.ends_at).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"{done}; the demo's nine months end at {ends}. Everything in it is synthetic.\n"
        f"Look at {target.url}/, or at one customer:\n"
        f"  journeyline timeline {ANA}    all channels, from a phone to a recommendation\n"
        f"  journeyline timeline {BEN}    lost for half a year and won back\n"
        f"  journeyline timeline {CLARA}  shares a phone with somebody else\n"
        "`journeyline demo --remove` takes all of it out again."
    )


def _told_removal(removal: Removal) -> str:
    counts = removal.removed
    told = (
        f"{counts.get('touchpoints', 0):,} touchpoints of {counts.get('customers', 0):,} demo "
        "customers removed"
    )
    if removal.kept:
        told += "; kept, because other sources know them or share an identifier with them:"
        for customer in removal.kept:
            told += f"\n  {customer.customer_id}  {customer.touchpoints} touchpoints of the demo"
    return told
