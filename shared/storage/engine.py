"""The PostgreSQL engine, and the driver's own connection under it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, cast

import asyncpg
from sqlalchemy import make_url
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


@asynccontextmanager
async def open_engine(
    database_url: str, *, pool_size: int = 5, name: str = "journeyline"
) -> AsyncGenerator[AsyncEngine]:
    """Yield an engine over asyncpg, and dispose of its pool on the way out.

    JSON columns come back as their text: msgspec reads it exactly, and only where it is needed.

    Args:
        database_url: ``postgresql://…``, with or without a driver in its scheme.
        pool_size: Connections at most; a caller waits 3 s for one, then fails.
        name: What the server's session list shows.
    """
    url = make_url(database_url).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=3,
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
    transaction could not even be rolled back.
    """
    async with engine.connect() as connection:
        driver = await driver_of(connection)
        if driver.is_closed():
            await connection.invalidate()
            driver = await driver_of(connection)
        try:
            yield driver
        except (asyncio.CancelledError, TimeoutError):
            # A BEGIN that was cut off leaves the driver believing in a transaction for ever.
            await connection.invalidate()
            raise
        finally:
            if driver.is_closed() or driver.is_in_transaction():
                await connection.invalidate()


async def driver_of(connection: AsyncConnection) -> asyncpg.Connection:
    """Return the asyncpg connection under *connection*, in the same transaction.

    For the statements of the hot path only: arrays in, rows out, no layer between.
    """
    raw = await connection.get_raw_connection()
    return cast("asyncpg.Connection", raw.driver_connection)
