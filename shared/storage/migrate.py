"""Migrations: forward only, safe to start from several processes at once."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.errors import SetupError
from shared.storage.engine import open_engine

_LOCK: Final = 0x6A6F7572  # "jour": one migration at a time in a database


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def head_revision() -> str:
    """Return the newest revision this code knows."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise SetupError("this installation holds no migrations: install it again")
    return head


def revisions() -> tuple[str, ...]:
    """Return all revisions this code knows, oldest first."""
    scripts = ScriptDirectory.from_config(_config()).walk_revisions()
    return tuple(script.revision for script in scripts)[::-1]


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


async def current_revision(connection: AsyncConnection) -> str | None:
    """Return the database's revision; None before the first migration."""
    return await connection.run_sync(_current)


def _upgrade(connection: Connection, revision: str) -> None:
    known = revisions()
    current = _current(connection)
    if current is not None and current not in known:
        raise SetupError(
            f"the database is at revision {current}, which this version does not know: "
            "start the newer version of journeyline that migrated it"
        )
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring the database to *revision*; does nothing where it is there already.

    Args:
        database_url: A PostgreSQL address, with or without a driver in its scheme.
        revision: For tests of earlier ones; a real start takes the newest.

    Raises:
        SetupError: a newer version of the product has migrated this database.
    """
    async with open_engine(database_url, pool_size=1) as engine, engine.connect() as connection:
        await connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        await connection.commit()
        try:
            await connection.run_sync(_upgrade, revision)
            await connection.commit()
        finally:
            await connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
