"""Transactions of the classifier: the driver's own connection, and what may pass by itself."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.errors import DatabaseUnavailable
from shared.storage.engine import driver_of

AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    SQLAlchemyError,
    OSError,
    TimeoutError,
)
"""What lies with the surroundings: the same work may succeed later."""


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncGenerator[asyncpg.Connection]:
    """Yield a connection in a transaction, committed at the end of the block.

    Raises:
        DatabaseUnavailable: the database went away or gave up; whether a commit that was under
            way took place is unknown.
    """
    try:
        async with engine.connect() as connection:
            driver = await driver_of(connection)
            async with driver.transaction():
                yield driver
    except AWAY as error:
        raise DatabaseUnavailable(f"the database did not finish: {error}") from error
