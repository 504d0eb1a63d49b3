"""Publishing: messages of the outbox get their place in the feed, one publisher at a time.

Transactions end in another order than they began, so a reader of the outbox by ``id`` would skip
what became visible behind its back. A message is therefore numbered only once its transaction is
over, by ``seq``: without gaps, in transactions that follow each other, so that what is visible is
always a beginning of the feed. Messages about one customer keep their order, because transactions
that speak of one customer wait for each other.

``seq`` is what everybody goes by: the feed, the stream, webhooks, and whoever relays. Messages of
the feed have a second number, ``feed_seq``, among themselves: what a follower sees has no gaps.
"""

import asyncio
import contextlib
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.classifier.source_hours import forget_hours
from shared.clock import Clock
from shared.errors import RetryableError
from shared.instants import DAY, HOUR, SECOND, Instant, Micros, datetime_of, instant_of
from shared.metrics import OUTBOX_LAG_SECONDS, OUTBOX_PUBLISHED
from shared.upkeep.transactions import transaction

log = structlog.get_logger()

MOST: Final = 2_000
"""Messages in one transaction."""
PAUSE_SECONDS: Final = 0.1
KEEP: Final[Micros] = 30 * DAY
"""How long messages are kept; webhooks are tried again for less than four days."""
SWEEP_EVERY: Final[Micros] = HOUR

_LOCK: Final = "SELECT pg_try_advisory_xact_lock(x'666565642D736571'::bigint)"  # "feed-seq"
_OLDEST: Final = "SELECT created_at FROM outbox WHERE seq IS NULL ORDER BY id LIMIT 1"
_NUMBER: Final = """
WITH waiting AS (
    SELECT id, row_number() OVER (ORDER BY id) AS place, in_feed,
           count(*) FILTER (WHERE in_feed) OVER (ORDER BY id) AS place_in_feed
      FROM (SELECT id, type IN ('journey.transition', 'journey.transition_retracted') AS in_feed
              FROM outbox WHERE seq IS NULL ORDER BY id LIMIT $1) first
), more AS (
    SELECT count(*) AS messages, count(*) FILTER (WHERE in_feed) AS in_feed FROM waiting
), moved AS (
    UPDATE feed
       SET published = published + more.messages, transitions = transitions + more.in_feed
      FROM more
    RETURNING published - more.messages AS before, transitions - more.in_feed AS before_in_feed
)
UPDATE outbox
   SET seq = moved.before + waiting.place,
       feed_seq = CASE WHEN waiting.in_feed THEN moved.before_in_feed + waiting.place_in_feed END
  FROM waiting, moved
 WHERE outbox.id = waiting.id
"""
_FORGET: Final = """
WITH first AS (
    SELECT seq, created_at FROM outbox WHERE seq IS NOT NULL ORDER BY seq LIMIT $2
), kept AS (
    SELECT min(seq) AS seq FROM first WHERE created_at >= $1
), gone AS (
    DELETE FROM outbox USING first, kept
     WHERE outbox.seq = first.seq AND (kept.seq IS NULL OR outbox.seq < kept.seq)
    RETURNING outbox.seq
)
UPDATE feed SET forgotten = greatest(forgotten, (SELECT max(seq) FROM gone))
 WHERE EXISTS (SELECT FROM gone)
RETURNING (SELECT count(*) FROM gone)
"""


class Publisher:
    """Numbers the messages of the outbox, and forgets old ones; every classifier runs one.

    Args:
        engine: Of the database.
        clock: The present.
        keep: How old messages become.
    """

    def __init__(self, engine: AsyncEngine, clock: Clock, *, keep: Micros = KEEP) -> None:
        self._engine = engine
        self._clock = clock
        self._keep = keep
        self._swept_at: Instant = 0

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish what comes until *stopping* is set."""
        while not stopping.is_set():
            try:
                done = await self.publish()
                if self._clock() - self._swept_at >= SWEEP_EVERY:
                    await self.forget()
                    await self.forget_hours()
            except RetryableError as error:
                log.warning("publisher_waits", why=error.message)
                done = 0
            if done < MOST:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), PAUSE_SECONDS)

    async def publish(self) -> int:
        """Number one batch of messages and return how many; none while another publisher does."""
        async with transaction(self._engine) as connection:
            oldest: datetime | None = await connection.fetchval(_OLDEST)
            age = 0 if oldest is None else self._clock() - instant_of(oldest)
            OUTBOX_LAG_SECONDS.set(max(age, 0) / SECOND)
            if oldest is None or not await connection.fetchval(_LOCK):
                return 0
            done = _count(await connection.execute(_NUMBER, MOST))
        OUTBOX_PUBLISHED.inc(done)
        return done

    async def forget_hours(self) -> None:
        """Delete counts of hours that nobody compares with any more."""
        async with transaction(self._engine) as connection:
            await forget_hours(connection, self._clock())

    async def forget(self) -> int:
        """Delete messages that are older than they are kept, and return how many."""
        now = self._clock()
        before, gone = datetime_of(now - self._keep), 0
        while True:
            async with transaction(self._engine) as connection:
                if not await connection.fetchval(_LOCK):
                    break
                done = await connection.fetchval(_FORGET, before, MOST) or 0
            gone += done
            if done < MOST:
                self._swept_at = now
                break
        return gone


def _count(status: str) -> int:
    """Return how many rows a command says it changed."""
    return int(status.rpartition(" ")[2])
