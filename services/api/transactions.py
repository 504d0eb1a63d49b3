"""Transactions: one a request, so that an answer is of one moment."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.errors import DatabaseUnavailable
from shared.instants import EARLIEST, Instant, instant_of
from shared.storage.engine import checked_out, in_turn

_OUTAGES: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shut down, starting, or a statement that took too long
    asyncpg.InsufficientResourcesError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InterfaceError,
    asyncpg.SerializationError,  # a replica had to go on, and what was read stood in its way
    asyncpg.InternalClientError,  # asked just while the server's farewell was being read
    PoolTimeoutError,
    OSError,
    TimeoutError,
)

KEEP_SECONDS: Final = 0.1
"""How long a settled point is used again."""

SETTLED: Final = """
SELECT least(clock_timestamp(), min(xact_start)) - interval '1 microsecond'
  FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
   AND backend_type = 'client backend' AND xact_start IS NOT NULL
"""
"""The settled point: every transaction that began at or before it is over, so what was recorded by
then is final. To be asked on the primary, outside of a transaction, before the one that reads.
"""


class RecentlySettled:
    """The settled point, as it was a moment ago: one look serves all requests of that moment.

    An earlier settled point is one, too: nothing can be added to what was recorded before it.
    """

    def __init__(self) -> None:
        self._settled: Instant = EARLIEST
        self._looked_at = float("-inf")
        self._looking = False

    async def load(self, connection: asyncpg.Connection) -> Instant:
        """Return a settled point that is at most twice KEEP_SECONDS older than the present one.

        While somebody looks, the others go by what was seen before, and so one request of many
        waits for the look.

        Args:
            connection: In no transaction, about to begin the one that reads.
        """
        now = asyncio.get_running_loop().time()
        age = now - self._looked_at
        if age <= KEEP_SECONDS or (self._looking and age <= 2 * KEEP_SECONDS):
            return self._settled
        self._looking = True
        try:
            self._settled = instant_of(await connection.fetchval(SETTLED))
        finally:
            self._looking = False
        self._looked_at = now
        return self._settled


@asynccontextmanager
async def asking(engine: AsyncEngine) -> AsyncGenerator[asyncpg.Connection]:
    """Yield a connection in no transaction: for an answer that is one statement.

    Raises:
        DatabaseUnavailable: the database cannot be asked, or did not answer in time.
    """
    with _outages_told():
        async with checked_out(engine) as driver:
            yield driver


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncGenerator[asyncpg.Connection]:
    """Yield a connection in a read-only transaction that sees one state of the database.

    Raises:
        DatabaseUnavailable: the database cannot be asked, or did not answer in time.
    """
    with _outages_told():
        async with (
            checked_out(engine) as driver,
            driver.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield driver


@asynccontextmanager
async def reading_settled(
    engine: AsyncEngine,
) -> AsyncGenerator[tuple[asyncpg.Connection, Instant]]:
    """Yield what ``reading`` yields, and the settled point before it; of the primary.

    Raises:
        DatabaseUnavailable: the database cannot be asked, or did not answer in time.
    """
    with _outages_told():
        async with checked_out(engine) as driver:
            settled = instant_of(await driver.fetchval(SETTLED))
            async with driver.transaction(isolation="repeatable_read", readonly=True):
                yield driver, settled


@asynccontextmanager
async def writing(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    """Yield a connection in a transaction that is committed if the block ends without an error.

    Raises:
        DatabaseUnavailable: the database cannot be asked, or did not answer in time.
    """
    with _outages_told():
        async with in_turn(engine), engine.begin() as connection:
            yield connection


@contextmanager
def _outages_told() -> Generator[None]:
    """Turn what an outage raises into DatabaseUnavailable, and leave our own mistakes as they are.

    A value that the driver cannot encode is an InterfaceError too, and a ValueError.
    """
    try:
        yield
    except DBAPIError as error:
        cause = error.orig.__cause__ if error.orig is not None else None
        if not error.connection_invalidated and not isinstance(cause, _OUTAGES):
            raise
        raise _unavailable(error) from error
    except _OUTAGES as error:
        if isinstance(error, ValueError):
            raise
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"the database did not answer ({type(error).__name__}): try again soon"
    )
