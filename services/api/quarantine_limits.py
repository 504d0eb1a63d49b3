"""The quarantine's limits: how long items wait in it, and how many of one source.

Whatever a limit ends is counted as discarded, with the limit as its reason. What was sent goes with
it; what became of the item stays to be seen for as long again.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Final

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.transactions import writing
from shared.clock import Clock
from shared.errors import RetryableError
from shared.instants import DAY, Micros, datetime_of
from shared.storage.engine import driver_of

RETENTION: Final[Micros] = 90 * DAY
MOST_OF_A_SOURCE: Final = 100_000
"""Open items: a write key may be public, and whoever has one can send nonsense for ever."""

EVERY_SECONDS: Final = 60.0
ROWS_AT_ONCE: Final = 5_000

_ALONE: Final = "SELECT pg_try_advisory_xact_lock(7243002)"
_DISCARD: Final = """
UPDATE quarantine SET status = 'discarded', settled_at = $2, settled_reason = $3, raw = '',
       item = NULL
 WHERE id IN ({selected})
"""
_EXPIRED: Final = _DISCARD.format(
    selected=f"""
    SELECT id FROM quarantine WHERE status = 'open' AND received_at < $1 LIMIT {ROWS_AT_ONCE}
    """  # noqa: S608 - a number of our own
)
_CROWDED: Final = """
SELECT source, count(*) - $1 AS over FROM quarantine WHERE status = 'open'
 GROUP BY source HAVING count(*) > $1 ORDER BY source
"""
_OLDEST: Final = _DISCARD.format(
    selected=f"""
    SELECT id FROM quarantine WHERE status = 'open' AND source = $1
     ORDER BY received_at, id LIMIT least($4::bigint, {ROWS_AT_ONCE})
    """  # noqa: S608 - a number of our own
)
_EMPTY: Final = f"""
UPDATE quarantine SET raw = '', item = NULL WHERE id IN (
    SELECT id FROM quarantine
     WHERE status <> 'open' AND received_at < $1 AND raw <> '' LIMIT {ROWS_AT_ONCE})
"""  # noqa: S608 - a number of our own
_FORGET: Final = f"""
DELETE FROM quarantine WHERE id IN (
    SELECT id FROM quarantine WHERE status = 'discarded' AND settled_at < $1 LIMIT {ROWS_AT_ONCE})
"""  # noqa: S608 - a number of our own

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class QuarantineLimits:
    """How long, and how many; lower only in tests."""

    retention: Micros = RETENTION
    most_of_a_source: int = MOST_OF_A_SOURCE


async def keep_quarantine_limits(
    engine: AsyncEngine, clock: Clock, stopping: asyncio.Event
) -> None:
    """Apply the limits every minute until *stopping*; of several processes, one at a time does."""
    while not stopping.is_set():
        try:
            discarded = await apply_limits(engine, clock, QuarantineLimits())
        except RetryableError as error:
            log.warning("quarantine_not_limited", why=error.message)
        else:
            if discarded:
                log.info("quarantine_limited", discarded=discarded)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), EVERY_SECONDS)


async def apply_limits(engine: AsyncEngine, clock: Clock, limits: QuarantineLimits) -> int:
    """Discard what is over a limit, and drop what discarded items held.

    Returns:
        How many items were discarded.

    Raises:
        DatabaseUnavailable: the database cannot be asked.
    """
    discarded = 0
    while True:
        async with writing(engine) as connection:
            driver = await driver_of(connection)
            if not await driver.fetchval(_ALONE):
                return discarded
            done, changed = await _some(driver, clock, limits)
        discarded += done
        if changed < ROWS_AT_ONCE:
            return discarded


async def _some(
    driver: asyncpg.Connection, clock: Clock, limits: QuarantineLimits
) -> tuple[int, int]:
    """Apply the limits to some rows; return how many were discarded, and the largest step."""
    now = clock()
    moment, cutoff = datetime_of(now), datetime_of(now - limits.retention)
    days = limits.retention // DAY
    steps = [_count(await driver.execute(_EXPIRED, cutoff, moment, f"kept for {days} days"))]
    why = f"more than {limits.most_of_a_source} items of the source were open"
    for row in await driver.fetch(_CROWDED, limits.most_of_a_source):
        told = await driver.execute(_OLDEST, row["source"], moment, why, row["over"])
        steps.append(_count(told))
    cleared = [_count(await driver.execute(statement, cutoff)) for statement in (_EMPTY, _FORGET)]
    return sum(steps), max(*steps, *cleared)


def _count(told: str) -> int:
    """Return how many rows a command changed, by its tag, such as ``UPDATE 3``."""
    return int(told.rpartition(" ")[2])
