"""``journeyline up``: the whole product in one process on one port."""

import asyncio
import logging
import signal
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from pydantic import ValidationError
from rich.console import Console

from services.api.settings import ApiOptions
from services.cli.connection import DEFAULT_DATA, Target
from services.standalone.app import Options, Started, running_product
from services.standalone.demo.first_play import play_on_first_start
from shared.lifecycle import wrong_settings
from shared.logs import configure_logs

Host = Annotated[str, typer.Option("--host", envvar="HOST", help="address to listen on")]
Port = Annotated[int, typer.Option("--port", envvar="PORT", min=0, max=65_535, help="0: any free")]
DataFolder = Annotated[Path, typer.Option("--data", envvar="DATA", help="where everything is kept")]
Demo = Annotated[bool, typer.Option("--demo/--no-demo", help="play the demo into an empty folder")]
DatabaseUrl = Annotated[
    str | None,
    typer.Option("--database-url", envvar="DATABASE_URL", help="instead of the embedded one"),
]

Verbose = Annotated[bool, typer.Option("--verbose", help="log what goes well, too")]

_console = Console(stderr=True, highlight=False)


def up(
    *,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    data: DataFolder = DEFAULT_DATA,
    demo: Demo = True,
    database_url: DatabaseUrl = None,
    verbose: Verbose = False,
) -> None:
    """Start ingest, classifier and API on one port; Ctrl-C stops them."""
    configure_logs(level=logging.INFO if verbose else logging.WARNING)
    options = Options(host, port, data, _api_options(), database_url)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_stopped(options, demo=demo))


def _api_options() -> ApiOptions:
    try:
        return ApiOptions()
    except ValidationError as error:
        raise typer.BadParameter(wrong_settings(ApiOptions, error)) from error


async def _until_stopped(options: Options, *, demo: bool) -> None:
    running = asyncio.create_task(_run(options, demo=demo))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, running)
    try:
        await running
    except asyncio.CancelledError:
        _say("Stopped.")
    except BaseExceptionGroup as group:
        raise _first(group) from group


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error in *group* that is none itself: what ended the product."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _stop(running: asyncio.Task[None]) -> None:
    if not running.cancelling():
        _say("Stopping …")
        running.cancel()


async def _run(options: Options, *, demo: bool) -> None:
    async with running_product(options, _say) as started:
        _greet(started)
        if demo:
            target = Target(started.url, started.credentials.secret_key)
            await play_on_first_start(
                target, started.data.path, _console, is_first_start=started.is_first_start
            )
        await asyncio.Event().wait()


def _say(sentence: str) -> None:
    _console.print(sentence, markup=False, soft_wrap=True)


def _greet(started: Started) -> None:
    url, keys = started.url, started.credentials
    _say(f"Journeyline runs at {url}/  (API reference: {url}/docs)")
    if started.is_first_start:
        _say(f"Keys, shown this once and kept in {started.data.credentials}:")
        _say(f"  write key   {keys.write_key}\n  secret key  {keys.secret_key}")
        _say("Try:")
        # Printed plainly, without wrapping, so that it can be copied.
        item = '{"type": "page_viewed", "customer": {"email": "me@example.com"}}'
        typer.echo(
            f"  curl {url}/v1/touchpoints -H 'Authorization: Bearer {keys.write_key}' -d '{item}'",
            err=True,
        )
    else:
        _say(f"Keys are in {started.data.credentials}")
