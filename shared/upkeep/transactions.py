"""Transactions that change what is stored: the driver's connection, and what may pass by itself."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.errors import DatabaseUnavailable, RetryableError
from shared.instants import Instant, instant_of
from shared.storage.engine import checked_out

AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    SQLAlchemyError,
    OSError,
    TimeoutError,
)
"""What lies with the surroundings: the same work may succeed later."""


class TransactionConflict(RetryableError):
    """Another transaction was in the way and this one is undone; the same may succeed at once."""

    code = "transaction_conflict"


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncGenerator[asyncpg.Connection]:
    """Yield a connection in a transaction, committed at the end of the block.

    Raises:
        TransactionConflict: it is undone because of another one.
        DatabaseUnavailable: the database went away or gave up; whether a commit that was under
            way took place is unknown.
    """
    try:
        async with checked_out(engine) as connection, connection.transaction():
            yield connection
    except asyncpg.TransactionRollbackError as error:
        raise TransactionConflict(f"undone by the database: {error}") from error
    except AWAY as error:
        why = str(error) or type(error).__name__
        raise DatabaseUnavailable(f"the database did not finish: {why}") from error


async def began_at(connection: asyncpg.Connection) -> Instant:
    """Return when the transaction began, by the database's clock.

    What a transaction records carries this time: a reader knows from the list of open transactions
    up to when all that was recorded is final, whatever the clocks of the machines say.
    """
    return instant_of(await connection.fetchval("SELECT now()"))
