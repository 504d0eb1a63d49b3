import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.instants import DAY, SECOND, Instant
from shared.storage.audit import Act, broken_links, record_act
from shared.storage.engine import checked_out, open_engine

AT: Instant = 20_000 * DAY


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(database_url, pool_size=4) as opened:
        yield opened


async def append(engine: AsyncEngine, *names: str) -> None:
    acts = [
        Act("key:a", "key.made", f"key:{name}", "why", {"n": 1.5, "ü": [name]}) for name in names
    ]
    async with checked_out(engine) as connection, connection.transaction():
        for act in acts:
            await record_act(connection, act, at=AT + SECOND // 3)


async def broken(connection: asyncpg.Connection) -> list[int]:
    return [row async for row in broken_links(connection)]


async def test_entries_hang_together(engine: AsyncEngine) -> None:
    await append(engine, "one", "two")
    await append(engine, "three")
    async with checked_out(engine) as connection:
        assert await broken(connection) == []
        assert await connection.fetchval("SELECT count(*) FROM audit") == 3


async def test_many_at_once_still_make_one_chain(engine: AsyncEngine) -> None:
    await asyncio.gather(*(append(engine, f"{n}a", f"{n}b") for n in range(20)))
    async with checked_out(engine) as connection:
        assert await broken(connection) == []
        assert await connection.fetchval("SELECT count(*) FROM audit") == 40


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit SET actor = 'x'", "DELETE FROM audit WHERE id = 1", "TRUNCATE audit"],
)
async def test_the_database_refuses_to_change_entries(engine: AsyncEngine, statement: str) -> None:
    await append(engine, "one")
    async with checked_out(engine) as connection:
        with pytest.raises(asyncpg.RaiseError, match="only ever added"):
            await connection.execute(statement)


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE audit SET subject = 'key:else' WHERE id = 2",
        "UPDATE audit SET at = at + interval '1 second' WHERE id = 2",
        "UPDATE audit SET details = '{}' WHERE id = 2",
        "DELETE FROM audit WHERE id = 2",
    ],
)
async def test_what_was_forged_all_the_same_shows(engine: AsyncEngine, forgery: str) -> None:
    await append(engine, "one", "two", "three")
    async with checked_out(engine) as connection:
        await connection.execute("ALTER TABLE audit DISABLE TRIGGER audit_is_added_to")
        await connection.execute(forgery)
        found = await broken(connection)
    assert found[0] == (3 if forgery.startswith("DELETE") else 2)


@pytest.mark.parametrize("ids", ["id = 3", "id >= 2", "id > 0"])
async def test_that_the_last_entries_were_taken_out_shows_now_and_later(
    engine: AsyncEngine, ids: str
) -> None:
    await append(engine, "one", "two", "three")
    async with checked_out(engine) as connection:
        await connection.execute("ALTER TABLE audit DISABLE TRIGGER audit_is_added_to")
        await connection.execute(f"DELETE FROM audit WHERE {ids}")  # noqa: S608 - of this test
        assert await broken(connection) == [3]
        await append(engine, "four", "five")
        assert await broken(connection) == [4]


async def test_a_chain_whose_end_was_not_kept_yet_goes_on(engine: AsyncEngine) -> None:
    await append(engine, "one", "two")
    async with checked_out(engine) as connection:
        await connection.execute("DELETE FROM deployment WHERE name = 'audit_end'")
        assert await broken(connection) == []
        await append(engine, "three")
        assert await broken(connection) == []
