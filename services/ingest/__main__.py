"""Runs ingest alone: ``python -m services.ingest``, configured by the environment."""

import asyncio
import signal
import sys
from contextlib import AsyncExitStack, closing

import uvloop
from pydantic import ValidationError

from services.ingest.app import build_ingest, create_app
from services.ingest.settings import IngestSettings, faults_in_settings
from shared.clock import wall_clock
from shared.errors import SetupError
from shared.http.health import not_stopping
from shared.http.server import listen, serve
from shared.log.embedded import open_embedded_log
from shared.logs import configure_logs
from shared.metrics import note_build
from shared.storage.directory import DirectoryCache
from shared.storage.engine import open_engine


async def run(settings: IngestSettings, stopping: asyncio.Event) -> None:
    """Serve until *stopping* is set, then finish what was begun.

    Raises:
        SetupError: The port or the log cannot be used; says what to do.
    """
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(closing(listen(settings.host, settings.port)))
        log = await stack.enter_async_context(open_embedded_log(settings.log_path))
        engine = await stack.enter_async_context(
            open_engine(
                settings.database_url, pool_size=settings.pool_size, name="journeyline-ingest"
            )
        )
        directory = await stack.enter_async_context(
            DirectoryCache(engine, settings.pepper, wall_clock)
        )
        ingest = build_ingest(
            log=log.writer,
            directory=directory,
            clock=wall_clock,
            most_bytes_in_flight=settings.bytes_in_flight,
        )
        app = create_app(ingest, checks={"process": not_stopping(stopping)})
        await serve(app, listener, stopping=stopping)


async def _run_until_told(settings: IngestSettings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    await run(settings, stopping)


def main() -> None:
    """Run ingest; exit 2 if a setting is wrong, 1 if the surroundings are not fit."""
    configure_logs()
    note_build()
    try:
        settings = IngestSettings()
    except ValidationError as error:
        sys.stderr.write(f"ingest: {faults_in_settings(error)}\n")
        sys.exit(2)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run_until_told(settings))
    except SetupError as error:
        sys.stderr.write(f"ingest: {error.message}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
