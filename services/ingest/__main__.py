"""Runs ingest alone: ``python -m services.ingest``, configured by the environment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Final

from services.ingest.app import build_ingest, create_app
from services.ingest.settings import IngestSettings
from services.ingest.spool_report import reporting
from shared.clock import wall_clock
from shared.erasure import Digests
from shared.http.health import not_stopping
from shared.http.server import listen, serve
from shared.lifecycle import run_service
from shared.log.choosing import open_log_writer
from shared.log.kafka_preflight import preflight
from shared.log.port import LogWriter
from shared.log.spool_writer import SpoolingWriter, spooling
from shared.storage.directory import DirectoryCache
from shared.storage.engine import open_engine
from shared.storage.imports import StoredImportStates

NAME: Final = "journeyline-ingest"


async def run(settings: IngestSettings, stopping: asyncio.Event) -> None:
    """Serve until *stopping* is set, then finish what was begun.

    Raises:
        SetupError: The port or the log cannot be used; says what to do.
    """
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(closing(listen(settings.host, settings.port)))
        log = await stack.enter_async_context(_open_log(settings))
        engine = await stack.enter_async_context(
            open_engine(settings.database_url, pool_size=settings.pool_size, name=NAME)
        )
        if isinstance(log, SpoolingWriter):
            await stack.enter_async_context(
                reporting(engine, log, wall_clock, Digests.under(settings.pepper))
            )
        directory = await stack.enter_async_context(
            DirectoryCache(engine, settings.pepper, wall_clock)
        )
        ingest = build_ingest(
            log=log,
            directory=directory,
            clock=wall_clock,
            imports=StoredImportStates(engine),
            most_bytes_in_flight=settings.bytes_in_flight,
        )
        app = create_app(ingest, checks={"process": not_stopping(stopping)})
        async with asyncio.TaskGroup() as group:
            group.create_task(serve(app, listener, stopping=stopping))
            if (address := settings.address(NAME)) is not None:
                group.create_task(preflight(address, settings.kafka.topic, stopping))


@asynccontextmanager
async def _open_log(settings: IngestSettings) -> AsyncIterator[LogWriter]:
    """Yield the log, with a spool in front of it if there is to be one."""
    async with open_log_writer(settings, NAME) as writer:
        if not settings.spool_path:
            yield writer
            return
        folder = Path(settings.spool_path)
        async with spooling(writer, folder, wall_clock, settings.spool_limits) as spooled:
            yield spooled


def main() -> None:
    """Run ingest until told to stop."""
    run_service("ingest", IngestSettings, run)


if __name__ == "__main__":
    main()
