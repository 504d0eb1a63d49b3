"""The whole product in one process on one port: the composition root of ``journeyline up``."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.app import build_api
from services.api.background import Background, background_of, run_background
from services.api.databases import Databases
from services.api.health import check_database
from services.api.openapi import Described
from services.api.outlets import Outlets, open_outlets
from services.api.settings import ApiOptions
from services.classifier.app import Classifier, build_classifier
from services.cli.connection import Credentials
from services.ingest.app import build_ingest
from services.ingest.openapi import openapi_paths, openapi_schemas
from services.standalone.data_folder import DataFolder, open_data_folder
from services.standalone.first_start import prepare
from services.standalone.listening import Listener, listening
from services.standalone.postgres import running_postgres
from services.standalone.retention import keep_log_short
from services.standalone.secrets import Secrets, load_secrets
from shared.clock import wall_clock
from shared.http.docs import docs_routes
from shared.http.front import Front
from shared.http.health import health_routes
from shared.http.server import serve
from shared.log.embedded import EmbeddedLog, open_embedded_log
from shared.sources import RateLimit
from shared.storage.directory import DirectoryCache
from shared.storage.engine import open_engine
from shared.storage.imports import StoredImportStates
from shared.storage.migrate import upgrade

Say: TypeAlias = Callable[[str], None]
Work: TypeAlias = Callable[[asyncio.Event], Coroutine[object, object, None]]
"""Runs until the event is set."""

API_POOL: Final = 16
CLASSIFIER_POOL: Final = 8
STOP_SECONDS: Final = 15.0
DRAIN_SECONDS: Final = 10
"""What requests under way get before they are cut off; classifier and database stop after it."""


@dataclass(frozen=True, slots=True)
class Options:
    """What ``journeyline up`` was asked for."""

    host: str
    port: int
    data: Path
    api: ApiOptions
    database_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Started:
    """A product that answers."""

    url: str
    credentials: Credentials
    is_first_start: bool
    data: DataFolder


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the product is composed of, opened already."""

    log: EmbeddedLog
    engine: AsyncEngine
    directory: DirectoryCache
    classifier: Classifier
    outlets: Outlets
    background: Background


@asynccontextmanager
async def running_product(options: Options, say: Say) -> AsyncGenerator[Started]:
    """Run everything until the block ends, then stop it in order.

    Raises:
        SetupError: the port, the data folder or the database are not fit; says what to do.
    """
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(listening(options.host, options.port))
        data = stack.enter_context(open_data_folder(options.data))
        database_url = options.database_url
        if database_url is None:
            address = await stack.enter_async_context(running_postgres(data.postgres, progress=say))
            database_url = address.dsn
        await upgrade(database_url)
        yield await _start(stack, data, database_url, listener, options.api)


async def _start(
    stack: AsyncExitStack,
    data: DataFolder,
    database_url: str,
    listener: Listener,
    options: ApiOptions,
) -> Started:
    """Start the services over a migrated database; *stack* stops them."""
    secrets = load_secrets(data.path / "secrets.json")
    pepper = secrets.key_pepper
    data.log.mkdir(mode=0o700, exist_ok=True)
    log = await stack.enter_async_context(open_embedded_log(data.log / "log.sqlite"))
    engine = await stack.enter_async_context(open_engine(database_url, pool_size=API_POOL))
    credentials, is_first_start = await prepare(
        engine, data.credentials, url=listener.url, pepper=pepper, clock=wall_clock
    )
    directory = await stack.enter_async_context(DirectoryCache(engine, pepper, wall_clock))
    ending = asyncio.Event()
    parts = _Parts(
        log,
        engine,
        directory,
        await _open_classifier(stack, database_url, log, secrets),
        await stack.enter_async_context(
            open_outlets(Databases(engine), pepper, options, clock=wall_clock, stopping=ending)
        ),
        background_of(log, engine, pepper),
    )
    front = _compose(parts, secrets, options.request_rate)
    for work in _works(parts):
        await stack.enter_async_context(_running(work))
    serving = partial(serve, front, listener.socket, shutdown_seconds=DRAIN_SECONDS)
    await stack.enter_async_context(_running(lambda stopping: serving(stopping=stopping)))
    stack.callback(ending.set)  # streams end before the server waits for what is under way
    await _answers(listener)
    return Started(listener.url, credentials, is_first_start, data)


def _works(parts: _Parts) -> tuple[Work, ...]:
    """Return what runs beside the server, which begins after all of it and ends before."""
    log, engine = parts.log, parts.engine
    return (
        parts.classifier.run,
        parts.outlets.webhooks.run,
        lambda stopping: keep_log_short(log, engine, wall_clock, stopping),
        lambda stopping: run_background(engine, wall_clock, parts.background, stopping),
    )


async def _open_classifier(
    stack: AsyncExitStack,
    database_url: str,
    log: EmbeddedLog,
    secrets: Secrets,
) -> Classifier:
    """Return a classifier with connections of its own, which *stack* closes."""
    engine = await stack.enter_async_context(
        open_engine(database_url, pool_size=CLASSIFIER_POOL, name="journeyline-classifier")
    )
    return build_classifier(engine, log.reader(), clock=wall_clock, pepper=secrets.key_pepper)


def _compose(parts: _Parts, secrets: Secrets, rate: RateLimit | None) -> Front:
    """Put ingest, health and documentation in front of the API."""
    log, engine = parts.log, parts.engine
    ingest = build_ingest(
        log=log.writer,
        directory=parts.directory,
        clock=wall_clock,
        imports=StoredImportStates(engine),
    )
    api = build_api(
        databases=Databases(engine),
        directory=parts.directory,
        log=log.writer,
        log_ends=log.reader().end_offsets,
        topic=log.file.topic,
        clock=wall_clock,
        cursor_secret=secrets.cursor_secret,
        pepper=secrets.key_pepper,
        outlets=parts.outlets,
        rate_limit=rate,
        background=parts.background,
        elsewhere=Described(openapi_paths(), openapi_schemas()),
    )
    checks = {
        **ingest.checks,
        **parts.classifier.checks,
        "database": lambda: check_database(engine),
    }
    plain = {**ingest.hot_routes, **health_routes(checks), **docs_routes("Journeyline")}
    return Front(plain, api)


async def _answers(listener: Listener) -> None:
    """Return once connections are taken: the server begins to listen a moment after its start."""
    host, port = listener.socket.getsockname()[:2]
    async with asyncio.timeout(STOP_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


@asynccontextmanager
async def _running(work: Work) -> AsyncGenerator[None]:
    """Run *work* beside the block, and tell it to stop when the block ends.

    If it ends by itself with an error, so does the block.
    """
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work(stopping))
        try:
            yield
        finally:
            stopping.set()
            done, _ = await asyncio.wait({task}, timeout=STOP_SECONDS)
            if not done:
                task.cancel()
