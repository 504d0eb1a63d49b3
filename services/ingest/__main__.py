"""Runs ingest alone: ``python -m services.ingest``, configured by the environment."""

import asyncio
from contextlib import AsyncExitStack, closing
from pathlib import Path

from services.ingest.app import build_ingest, create_app
from services.ingest.settings import IngestSettings
from shared.clock import wall_clock
from shared.http.health import not_stopping
from shared.http.server import listen, serve
from shared.lifecycle import run_service
from shared.log.embedded import open_embedded_log
from shared.log.port import LogWriter
from shared.log.spool_writer import spooling
from shared.storage.directory import DirectoryCache
from shared.storage.engine import open_engine
from shared.storage.imports import StoredImportStates


async def run(settings: IngestSettings, stopping: asyncio.Event) -> None:
    """Serve until *stopping* is set, then finish what was begun.

    Raises:
        SetupError: The port or the log cannot be used; says what to do.
    """
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(closing(listen(settings.host, settings.port)))
        log = await stack.enter_async_context(open_embedded_log(settings.log_path))
        writer: LogWriter = log.writer
        if settings.spool_path:
            spool = spooling(writer, Path(settings.spool_path), wall_clock, settings.spool_limits)
            writer = await stack.enter_async_context(spool)
        engine = await stack.enter_async_context(
            open_engine(
                settings.database_url, pool_size=settings.pool_size, name="journeyline-ingest"
            )
        )
        directory = await stack.enter_async_context(
            DirectoryCache(engine, settings.pepper, wall_clock)
        )
        ingest = build_ingest(
            log=writer,
            directory=directory,
            clock=wall_clock,
            imports=StoredImportStates(engine),
            most_bytes_in_flight=settings.bytes_in_flight,
        )
        app = create_app(ingest, checks={"process": not_stopping(stopping)})
        await serve(app, listener, stopping=stopping)


def main() -> None:
    """Run ingest until told to stop."""
    run_service("ingest", IngestSettings, run)


if __name__ == "__main__":
    main()
