"""The PostgreSQL engine, and the driver's own connection under it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, cast
from weakref import WeakKeyDictionary

import asyncpg
from sqlalchemy import Pool, PoolProxiedConnection, QueuePool, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

SESSION: Final = {
    "application_name": "journeyline",
    "timezone": "UTC",
    "idle_in_transaction_session_timeout": "10s",
    "lock_timeout": "5s",
    "statement_timeout": "15s",
}
"""A frozen process must not keep its locks, and nothing may wait without end."""

OUTAGES: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    SQLAlchemyError,
    OSError,
    TimeoutError,
)
"""What it looks like when the database does not answer, or not as it should."""

WAIT_SECONDS: Final = 3
"""How long a caller waits for a connection of the pool, then fails."""

_turns: Final[WeakKeyDictionary[Pool, asyncio.Semaphore]] = WeakKeyDictionary()


@asynccontextmanager
async def open_engine(
    database_url: str, *, pool_size: int = 5, name: str = "journeyline"
) -> AsyncGenerator[AsyncEngine]:
    """Yield an engine over asyncpg, and dispose of its pool on the way out.

    JSON columns come back as their text: msgspec reads it exactly, and only where it is needed.

    Args:
        database_url: ``postgresql://…``, with or without a driver in its scheme.
        pool_size: Connections at most; a caller waits WAIT_SECONDS for one.
        name: What the server's session list shows.
    """
    url = make_url(database_url).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=WAIT_SECONDS,
        pool_pre_ping=False,
        json_deserializer=str,
        connect_args={
            "server_settings": {**SESSION, "application_name": name},
            "timeout": 5,
            "command_timeout": 20,
        },
    )
    try:
        yield engine
    finally:
        await engine.dispose()


@asynccontextmanager
async def checked_out(engine: AsyncEngine) -> AsyncGenerator[asyncpg.Connection]:
    """Yield a driver's connection of the pool, and never give a broken one back to it.

    SQLAlchemy does not see what happens on the driver's connection: a server that was started
    anew would leave dead connections in the pool, and one that hung for a while connections whose
    transaction could not even be rolled back. The pool is asked itself, without a connection of
    SQLAlchemy's around: making one would cost more than many a statement.

    Raises:
        TimeoutError: none became free in time.
    """
    async with in_turn(engine), _lent(engine) as driver:
        yield driver


@asynccontextmanager
async def in_turn(engine: AsyncEngine) -> AsyncGenerator[None]:
    """Wait until a connection of the pool is this caller's to take, in the order of asking.

    The pool alone wakes whoever waits, and then gives what was brought back to whoever asks just
    now: under load some would wait until their time is over.

    Raises:
        TimeoutError: none became free in time.
    """
    turns = _turns_of(engine.pool)
    if turns.locked():
        async with asyncio.timeout(WAIT_SECONDS):
            await turns.acquire()
    else:
        await turns.acquire()
    try:
        yield
    finally:
        turns.release()


@asynccontextmanager
async def _lent(engine: AsyncEngine) -> AsyncGenerator[asyncpg.Connection]:
    lent = await _taken(engine)
    while (driver := _driver(lent)).is_closed():
        lent.invalidate()
        lent = await _taken(engine)
    cut_off = False
    try:
        yield driver
    except (asyncio.CancelledError, TimeoutError):
        cut_off = True  # a BEGIN that was leaves the driver believing in a transaction for ever
        raise
    finally:
        if cut_off or driver.is_closed() or driver.is_in_transaction():
            lent.invalidate()
        else:
            lent.close()


async def _taken(engine: AsyncEngine) -> PoolProxiedConnection:
    """Take a connection of the pool; raises what the driver did if a new one cannot be made.

    SQLAlchemy's dialect wraps that in an error of its own, which none of its layers above the pool
    is here to translate.
    """
    try:
        return await engine.raw_connection()
    except engine.dialect.loaded_dbapi.Error as error:
        if error.__cause__ is None:
            raise
        raise error.__cause__ from error


async def driver_of(connection: AsyncConnection) -> asyncpg.Connection:
    """Return the asyncpg connection under *connection*, in the same transaction.

    For the statements of the hot path only: arrays in, rows out, no layer between. Where a
    transaction of SQLAlchemy's is about to begin, it begins here.
    """
    driver = _driver(await connection.get_raw_connection())
    if connection.in_transaction() and not driver.is_in_transaction():
        # SQLAlchemy says BEGIN with its own first statement; without one, each of the driver's
        # would be a transaction of its own, and hold its locks no longer than that.
        await connection.exec_driver_sql("SELECT 1")
    return driver


def _turns_of(pool: Pool) -> asyncio.Semaphore:
    """Return what counts how many connections of *pool* may be lent now."""
    turns = _turns.get(pool)
    if turns is None:
        size = pool.size() if isinstance(pool, QueuePool) else 1
        turns = _turns[pool] = asyncio.Semaphore(size)
    return turns


def _driver(lent: PoolProxiedConnection) -> asyncpg.Connection:
    return cast("asyncpg.Connection", lent.driver_connection)
