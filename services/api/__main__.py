"""Runs the API alone: ``python -m services.api``, configured by the environment."""

import asyncio
from contextlib import AsyncExitStack, closing
from typing import Final

from services.api.app import build_api, create_app
from services.api.background import background_of, run_background
from services.api.databases import Databases, open_databases
from services.api.health import check_database
from services.api.outlets import open_outlets
from services.api.settings import ApiSettings
from shared.clock import wall_clock
from shared.http.health import not_stopping
from shared.http.server import listen, serve
from shared.lifecycle import run_service
from shared.log.choosing import open_both_sides
from shared.storage.directory import DirectoryCache
from shared.storage.engine import open_engine

NAME: Final = "journeyline-api"


async def run(settings: ApiSettings, stopping: asyncio.Event) -> None:
    """Serve until *stopping* is set, then finish what was begun.

    Raises:
        SetupError: The port or the log cannot be used; says what to do.
    """
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(closing(listen(settings.host, settings.port)))
        log = await stack.enter_async_context(open_both_sides(settings, NAME))
        databases = await _open_databases(stack, settings)
        engine = databases.primary
        directory = await stack.enter_async_context(
            DirectoryCache(engine, settings.pepper, wall_clock)
        )
        outlets = await stack.enter_async_context(
            open_outlets(databases, settings.pepper, settings, clock=wall_clock, stopping=stopping)
        )
        background = background_of(log.erasable, engine, settings.pepper, keeping=log.keeping)
        api = build_api(
            databases=databases,
            directory=directory,
            log=log.writer,
            log_ends=log.ends,
            topic=log.topic,
            clock=wall_clock,
            cursor_secret=settings.cursor_secret,
            pepper=settings.pepper,
            outlets=outlets,
            rate_limit=settings.request_rate,
            background=background,
        )
        checks = {"process": not_stopping(stopping), "database": lambda: check_database(engine)}
        ended = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(run_background(engine, wall_clock, background, ended))
            group.create_task(outlets.webhooks.run(stopping))
            await serve(create_app(api, checks), listener, stopping=stopping)
            ended.set()


async def _open_databases(stack: AsyncExitStack, settings: ApiSettings) -> Databases:
    size = settings.pool_size
    primary = await stack.enter_async_context(
        open_engine(settings.database_url, pool_size=size, name=NAME)
    )
    return await stack.enter_async_context(
        open_databases(primary, settings.replica_url, pool_size=size, name=NAME)
    )


def main() -> None:
    """Run the API until told to stop."""
    run_service("api", ApiSettings, run)


if __name__ == "__main__":
    main()
