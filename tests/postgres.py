"""One PostgreSQL for all tests of a run, whichever process runs them; kept by a ``keepers.py``.

``TEST_DATABASE_URL`` names a server to use instead; its role must be allowed to create databases.
"""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from uuid import uuid4

import asyncpg
from sqlalchemy import make_url

from services.standalone.postgres import running_postgres
from shared.storage.migrate import upgrade
from tests.keepers import joined, keeping

T = TypeVar("T")

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - only a folder of our own in it is used
_ROOM_BYTES: Final = 2 << 30
_NAME: Final = "journeyline-tests-"
_THROW_AWAY: Final = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "200",
    "autovacuum": "off",
}


@dataclass(frozen=True, slots=True)
class PostgresForTests:
    """A server whose databases start with *prefix*; ``{prefix}_migrated`` is the template."""

    url: str
    prefix: str

    @contextmanager
    def database(self, *, migrated: bool = True) -> Generator[str]:
        """Yield the address of a fresh database, at the newest revision or empty."""
        name = f"{self.prefix}_{uuid4().hex}"
        template = self.template if migrated else "template0"
        create = f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"
        run_apart(execute(self.url, create))
        try:
            yield address(self.url, name)
        finally:
            run_apart(execute(self.url, f"DROP DATABASE {name} WITH (FORCE)"))

    @property
    def template(self) -> str:
        return f"{self.prefix}_migrated"


def run_apart(work: Coroutine[object, object, T]) -> T:
    """Run *work* to its end on an event loop of its own, also while another one exists."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def address(url: str, database: str) -> str:
    """Return *url* with another database in it."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


async def execute(url: str, *statements: str) -> None:
    """Run *statements*, each in a transaction of its own."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@contextmanager
def joined_postgres(folder: Path) -> Generator[PostgresForTests]:
    """Use the server of *folder*, which the first user starts and none of them has to stop."""
    with joined("tests.postgres", folder) as said:
        yield PostgresForTests(said["url"], said["prefix"])


async def _keep(folder: Path) -> None:
    with keeping(folder) as serve:
        async with _server() as url:
            server = PostgresForTests(url, f"test_{uuid4().hex[:8]}")
            await execute(url, f"CREATE DATABASE {server.template} TEMPLATE template0")
            await upgrade(address(url, server.template))
            await asyncio.to_thread(serve, {"url": url, "prefix": server.prefix})
            if "TEST_DATABASE_URL" in os.environ:
                await _drop_all(server)


@asynccontextmanager
async def _server() -> AsyncGenerator[str]:
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    with _throw_away_folder() as folder:
        async with running_postgres(folder, progress=print, settings=_THROW_AWAY) as postgres:
            yield postgres.dsn


@contextmanager
def _throw_away_folder() -> Generator[Path]:
    """Yield a folder in memory where there is room: a fresh database takes 30 ms there, not 300."""
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES
    home = _MEMORY if roomy else Path(tempfile.gettempdir())
    for left in home.glob(f"{_NAME}*"):  # by keepers that were killed
        if not _alive(int(left.name.removeprefix(_NAME))):
            shutil.rmtree(left, ignore_errors=True)
    folder = home / f"{_NAME}{os.getpid()}"
    folder.mkdir(mode=0o700)
    try:
        yield folder / "postgres"
    finally:
        shutil.rmtree(folder)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


async def _drop_all(server: PostgresForTests) -> None:
    """Drop the template, and what tests that were killed could not drop."""
    plain = make_url(server.url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    try:
        left = await connection.fetch(
            "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", server.prefix
        )
        for row in left:
            await connection.execute(f"DROP DATABASE {row['datname']} WITH (FORCE)")
    finally:
        await connection.close()


if __name__ == "__main__":
    asyncio.run(_keep(Path(sys.argv[1])))
