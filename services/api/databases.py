"""The databases of the API: the primary for all that is decided, a replica for what is only read.

Reads go to the replica while there is one and it is well, else to the primary. Those that need
what has just been written go to the primary: after a wait, and on a later page of a timeline whose
first page showed more than the replica has.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.replicas import Replica, place_of
from services.api.transactions import SETTLED, RecentlySettled, asking, reading
from shared.errors import DatabaseUnavailable
from shared.instants import LATEST, Instant, instant_of
from shared.storage.engine import open_engine

Opened: TypeAlias = AbstractAsyncContextManager[asyncpg.Connection]
_Opening: TypeAlias = Callable[[AsyncEngine], Opened]

ANYWHERE: Final = 0
"""The place in a cursor that was given while there was no replica."""


@dataclass(frozen=True, slots=True)
class PlacedRead:
    """A connection about to read, and what is settled for it.

    ``settled`` is the end of time where nobody needs it.
    """

    connection: asyncpg.Connection
    settled: Instant


class Databases:
    """Where to read; ``primary`` is also where to write.

    Args:
        primary: Of the primary.
        replica: A replica of it that somebody looks after; None for none.
    """

    def __init__(self, primary: AsyncEngine, replica: Replica | None = None) -> None:
        self.primary = primary
        self.replica = replica
        self._recent = RecentlySettled()

    def asking(self, *, current: bool = False) -> Opened:
        """Open what ``transactions.asking`` opens; on the primary if it must be *current*."""
        return self._open(asking, current=current)

    def reading(self, *, current: bool = False) -> Opened:
        """Open what ``transactions.reading`` opens; on the primary if it must be *current*."""
        return self._open(reading, current=current)

    @asynccontextmanager
    async def placed(
        self,
        *,
        current: bool = False,
        beyond: int | None = None,
        needed: bool = True,
        isolated: bool = False,
    ) -> AsyncGenerator[PlacedRead]:
        """Open a read that knows what was settled before it began.

        Args:
            current: Whether to read on the primary.
            beyond: A place that ``place_behind`` gave: what was read then must be there, too.
            needed: Whether to find out what is settled.
            isolated: Whether to see one state of the database in all statements, and to know to
                the instant what is settled where that can be asked.

        Raises:
            DatabaseUnavailable: no database can be asked, or it did not answer in time.
        """
        replica = None if current or beyond == ANYWHERE else self._serving()
        async with AsyncExitStack() as stack:
            read = None if replica is None else await self._placed_on(replica, stack, beyond)
            if read is None:
                await stack.aclose()
                read = await self._placed_on_primary(stack, needed=needed, exact=isolated)
            if isolated:
                await stack.enter_async_context(
                    read.connection.transaction(isolation="repeatable_read", readonly=True)
                )
            yield read

    async def place_behind(self, connection: asyncpg.Connection) -> int:
        """Return where what *connection* has read stands, for later pages to be read beyond."""
        return ANYWHERE if self.replica is None else await place_of(connection)

    async def _placed_on(
        self, replica: Replica, stack: AsyncExitStack, beyond: int | None
    ) -> PlacedRead | None:
        """Open a read on *replica*; None if that lacks something, or nobody knows what it has."""
        connection = await stack.enter_async_context(self._on(replica, asking))
        replayed = await place_of(connection)
        settled = replica.marks.settled_at(replayed)
        if settled is None or (beyond is not None and replayed < beyond):
            return None
        return PlacedRead(connection, settled)

    async def _placed_on_primary(
        self, stack: AsyncExitStack, *, needed: bool, exact: bool
    ) -> PlacedRead:
        connection = await stack.enter_async_context(asking(self.primary))
        if not needed:
            return PlacedRead(connection, LATEST)
        if exact:
            return PlacedRead(connection, instant_of(await connection.fetchval(SETTLED)))
        return PlacedRead(connection, await self._recent.load(connection))

    def _serving(self) -> Replica | None:
        replica = self.replica
        return replica if replica is not None and replica.trouble is None else None

    def _open(self, opening: _Opening, *, current: bool) -> Opened:
        replica = None if current else self._serving()
        return opening(self.primary) if replica is None else self._on(replica, opening)

    @asynccontextmanager
    async def _on(self, replica: Replica, opening: _Opening) -> AsyncGenerator[asyncpg.Connection]:
        """Open a read on *replica*, or on the primary if it takes no connection.

        What breaks later is told: the reader comes again, and is read for on the primary.
        """
        try:
            async with AsyncExitStack() as stack:
                yield await self._entered(replica, stack, opening)
        except DatabaseUnavailable as error:
            replica.rest(error.message)
            raise

    async def _entered(
        self, replica: Replica, stack: AsyncExitStack, opening: _Opening
    ) -> asyncpg.Connection:
        try:
            return await stack.enter_async_context(opening(replica.engine))
        except DatabaseUnavailable as error:
            replica.rest(error.message)
            return await stack.enter_async_context(opening(self.primary))


@asynccontextmanager
async def open_databases(
    primary: AsyncEngine, replica_url: str | None, *, pool_size: int, name: str
) -> AsyncGenerator[Databases]:
    """Yield where to read, with a replica that is looked after if there is one.

    Args:
        primary: Stays the caller's.
        replica_url: Of the replica; None or empty for none.
        pool_size: Connections to the replica, at most.
        name: What the replica's session list shows.
    """
    if not replica_url:
        yield Databases(primary)
        return
    stopping = asyncio.Event()
    async with (
        open_engine(replica_url, pool_size=pool_size, name=name) as engine,
        asyncio.TaskGroup() as group,
    ):
        replica = Replica(engine, primary)
        await replica.look()
        group.create_task(replica.run(stopping), name="api-replica")
        try:
            yield Databases(primary, replica)
        finally:
            stopping.set()
