from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.quarantine_limits import QuarantineLimits, apply_limits
from shared.instants import DAY, HOUR, Instant, datetime_of
from shared.storage.engine import driver_of, open_engine

NOW: Instant = 20_000 * DAY
LIMITS = QuarantineLimits(retention=90 * DAY, most_of_a_source=3)
INSERT = """
INSERT INTO quarantine (id, source, reason, message, raw, raw_length, raw_sha256, received_at,
                        recorded_at)
VALUES ($1, $2, 'bad_json', 'm', 'raw', 3, 'x', $3, $3)
"""


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(database_url, pool_size=3) as opened:
        yield opened


async def put(engine: AsyncEngine, source: str, *ages: int) -> None:
    async with engine.begin() as connection:
        driver = await driver_of(connection)
        first = await driver.fetchval("SELECT count(*) FROM quarantine")
        for number, age in enumerate(ages, start=first):
            await driver.execute(INSERT, UUID(int=number), source, datetime_of(NOW - age))


async def rows(engine: AsyncEngine) -> list[tuple[str, str, bytes, str | None]]:
    async with engine.connect() as connection:
        driver = await driver_of(connection)
        found = await driver.fetch("SELECT * FROM quarantine ORDER BY source, received_at")
        return [(r["source"], r["status"], r["raw"], r["settled_reason"]) for r in found]


async def test_what_waited_too_long_is_discarded_with_what_was_sent(engine: AsyncEngine) -> None:
    await put(engine, "web", 91 * DAY, 89 * DAY)
    assert await apply_limits(engine, lambda: NOW, LIMITS) == 1
    assert await rows(engine) == [
        ("web", "discarded", b"", "kept for 90 days"),
        ("web", "open", b"raw", None),
    ]


async def test_of_a_source_with_too_many_the_oldest_are_discarded(engine: AsyncEngine) -> None:
    await put(engine, "web", *(age * HOUR for age in range(5)))
    await put(engine, "till", HOUR)
    assert await apply_limits(engine, lambda: NOW, LIMITS) == 2
    statuses = [(source, status) for source, status, _, _ in await rows(engine)]
    assert statuses == [("till", "open")] + [("web", "discarded")] * 2 + [("web", "open")] * 3


async def test_discarded_items_are_seen_for_as_long_again_and_then_forgotten(
    engine: AsyncEngine,
) -> None:
    await put(engine, "web", 100 * DAY)
    for later, left in ((0, 1), (89 * DAY, 1), (91 * DAY, 0)):
        await apply_limits(engine, partial(int, NOW + later), LIMITS)
        assert len(await rows(engine)) == left


async def test_limits_that_nothing_exceeds_change_nothing(engine: AsyncEngine) -> None:
    await put(engine, "web", HOUR, 2 * HOUR, 3 * HOUR)
    before = await rows(engine)
    assert await apply_limits(engine, lambda: NOW, LIMITS) == 0
    assert await rows(engine) == before


async def test_while_another_process_applies_them_nothing_is_done(
    engine: AsyncEngine, database_url: str
) -> None:
    await put(engine, "web", 91 * DAY)
    plain = make_url(database_url).set(drivername="postgresql")
    other = await asyncpg.connect(plain.render_as_string(hide_password=False))
    try:
        await other.execute("SELECT pg_advisory_lock(7243002)")
        assert await apply_limits(engine, lambda: NOW, LIMITS) == 0
    finally:
        await other.close()
    assert await apply_limits(engine, lambda: NOW, LIMITS) == 1
