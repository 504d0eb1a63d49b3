"""The databases that tests get."""

import asyncpg
import pytest
from sqlalchemy import make_url

from shared.storage.migrate import head_revision


async def _query(url: str, query: str, *arguments: object) -> object:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    try:
        return await connection.fetchval(query, *arguments)
    finally:
        await connection.close()


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_gets_a_database_that_no_other_has_touched(
    database_url: str, turn: int
) -> None:
    await _query(database_url, "CREATE TABLE mark (turn int)")
    await _query(database_url, "INSERT INTO mark VALUES ($1)", turn)
    assert await _query(database_url, "SELECT sum(turn) FROM mark") == turn


async def test_a_database_stands_at_the_newest_revision(database_url: str) -> None:
    found = await _query(database_url, "SELECT version_num FROM alembic_version")
    assert found == head_revision()


async def test_an_empty_database_has_no_tables(empty_database_url: str) -> None:
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert await _query(empty_database_url, tables) == 0
