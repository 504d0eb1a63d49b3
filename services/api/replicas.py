"""A replica: whether it may be read from, and up to when what it shows is settled.

What was settled when can only be seen on the primary: a replica does not show whose transactions
are open there. So this process looks at the primary twice a second and keeps marks: what was
settled, and how far the write-ahead log reached just after that look. Every transaction that was
over then lies before that place, so a replica that has replayed the log up to there shows all of
it. No clocks are compared, and it holds for any replica of that primary.
"""

import asyncio
import contextlib
from bisect import bisect_right
from typing import Final, NamedTuple

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.transactions import SETTLED, asking
from shared.errors import DatabaseUnavailable
from shared.instants import Instant, instant_of
from shared.metrics import API_REPLICA_UP

log = structlog.get_logger()

LOOK_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 2.0
"""How long a look waits; one that hangs would hold up the next."""
MOST_MARKS: Final = 7_200
"""An hour of them; a replica that is further behind is not asked where that matters."""

_WRITTEN: Final = """
SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint AS place,
       (SELECT system_identifier FROM pg_control_system()) AS system
"""
_REPLAYED: Final = """
SELECT (pg_last_wal_replay_lsn() - '0/0')::bigint AS place,
       (SELECT system_identifier FROM pg_control_system()) AS system, pg_is_in_recovery() AS follows
"""
_PLACE: Final = """
SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
             ELSE pg_current_wal_insert_lsn() END - '0/0')::bigint
"""


class Mark(NamedTuple):
    """Whoever has replayed the log up to ``place`` shows all that was settled at ``settled``."""

    place: int
    settled: Instant


class Marks:
    """The marks of the last hour, in order."""

    def __init__(self) -> None:
        self._marks: list[Mark] = []

    def add(self, mark: Mark) -> None:
        """Add a mark; a log that begins anew behind the last one makes the others worthless."""
        if self._marks and mark.place < self._marks[-1].place:
            self._marks.clear()
        self._marks.append(mark)
        del self._marks[:-MOST_MARKS]

    def settled_at(self, place: int) -> Instant | None:
        """Return what is settled for a replica that has replayed up to *place*; None if unknown."""
        reached = bisect_right(self._marks, place, key=lambda mark: mark.place)
        return self._marks[reached - 1].settled if reached else None


class Replica:
    """One replica, as this process knows it; ``run`` keeps that up to date.

    Args:
        engine: Of the replica; a pool of its own.
        primary: Of its primary.
        loop_seconds: How often to look.
    """

    def __init__(
        self, engine: AsyncEngine, primary: AsyncEngine, *, loop_seconds: float = LOOK_SECONDS
    ) -> None:
        self.engine = engine
        self.marks = Marks()
        self._primary = primary
        self._pause = loop_seconds
        self._system: int | None = None
        self.trouble: str | None = "nobody has looked at it yet"
        """Why it is not read from; None while it is."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Look now and then, until *stopping* is set."""
        while not stopping.is_set():
            await self.look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), self._pause)

    async def look(self) -> None:
        """Look at both once; that the primary is away does not keep anybody from reading here."""
        with contextlib.suppress(DatabaseUnavailable, TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._look_at_primary()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found = await self._asked()
        except DatabaseUnavailable as error:
            self.rest(error.message)
        except TimeoutError:
            self.rest(f"it did not answer within {PATIENCE_SECONDS:g} s")
        else:
            self._judge(found)

    def rest(self, why: str) -> None:
        """Let nobody read here until the next look finds it well."""
        if self.trouble is None:
            log.warning("replica_rests", why=why)
        self.trouble = why
        API_REPLICA_UP.set(0)

    async def _look_at_primary(self) -> None:
        async with asking(self._primary) as connection:
            settled = instant_of(await connection.fetchval(SETTLED))
            written = await connection.fetchrow(_WRITTEN)  # after that look, not beside it
        self._system = written["system"]
        self.marks.add(Mark(written["place"], settled))

    async def _asked(self) -> asyncpg.Record:
        async with asking(self.engine) as connection:
            return await connection.fetchrow(_REPLAYED)

    def _judge(self, found: asyncpg.Record) -> None:
        if not found["follows"]:
            self.rest("it is no standby: API_REPLICA_URL has to name one")
        elif self._system is None:
            self.rest("the primary has not been seen yet, which says whose replica it is")
        elif found["system"] != self._system:
            self.rest("it is the replica of another database than API_DATABASE_URL's")
        elif self.trouble is not None:
            log.info("replica_serves", before=self.trouble)
            self.trouble = None
            API_REPLICA_UP.set(1)


async def place_of(connection: asyncpg.Connection) -> int:
    """Return a place of the write-ahead log that whatever *connection* has read lies before."""
    place: int = await connection.fetchval(_PLACE)
    return place
