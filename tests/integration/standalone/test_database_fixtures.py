"""The databases that tests get."""

import asyncio
import fcntl
import json
import sys
from pathlib import Path
from subprocess import PIPE

import asyncpg
import pytest
from sqlalchemy import make_url

from shared.storage.migrate import head_revision

ROOT = Path(__file__).parents[3]
JOIN = """
import sys
from pathlib import Path
from tests.postgres import joined_postgres

with joined_postgres(Path(sys.argv[1])):
    print("joined", flush=True)
    sys.stdin.read()
"""


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


async def test_the_server_ends_when_its_last_user_is_killed(tmp_path: Path) -> None:
    users = [await _join(tmp_path) for _ in range(2)]
    sockets = make_url(json.loads((tmp_path / "server.json").read_text())["url"]).query["host"]
    assert isinstance(sockets, str)
    directory = tmp_path / sockets
    for user in users:
        assert directory.exists()
        user.kill()
        await user.communicate()
    with (tmp_path / "users.lock").open("w") as lock:  # the keeper has it until all is gone
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
    assert not directory.exists()


async def _join(folder: Path) -> asyncio.subprocess.Process:
    joined = await asyncio.create_subprocess_exec(
        sys.executable, "-c", JOIN, folder, stdin=PIPE, stdout=PIPE, cwd=ROOT
    )
    assert joined.stdout is not None
    assert await joined.stdout.readline() == b"joined\n"
    return joined
