"""The schema is what the tables say, from wherever a database comes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from shared.errors import SetupError
from shared.storage.engine import open_engine
from shared.storage.migrate import current_revision, head_revision, revisions, upgrade
from shared.storage.tables import metadata


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_server_default": False})
    return list(compare_metadata(context, metadata))


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AsyncConnection]:
    """Connect without our JSON codec: SQLAlchemy's own look at the schema does not expect it."""
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


async def test_the_newest_schema_is_what_the_tables_say(database_url: str) -> None:
    async with connected(database_url) as connection:
        assert await connection.run_sync(differences) == []


@pytest.mark.parametrize("earlier", revisions())
async def test_every_earlier_revision_leads_to_the_newest(
    empty_database_url: str, earlier: str
) -> None:
    await upgrade(empty_database_url, earlier)
    await upgrade(empty_database_url)
    async with connected(empty_database_url) as connection:
        assert await current_revision(connection) == head_revision()
        assert await connection.run_sync(differences) == []


async def test_migrating_again_changes_nothing(database_url: str) -> None:
    await upgrade(database_url)
    await upgrade(database_url)


async def test_a_database_of_a_newer_version_is_refused(database_url: str) -> None:
    async with open_engine(database_url, pool_size=1) as engine, engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SetupError, match="9999"):
        await upgrade(database_url)
