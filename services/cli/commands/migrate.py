"""``journeyline migrate``: bring a database to this version's schema."""

import asyncio
from typing import Annotated

import typer

from shared.storage.migrate import head_revision, upgrade

DatabaseUrl = Annotated[
    str, typer.Option("--database-url", envvar="DATABASE_URL", help="postgresql://…")
]


def migrate(database_url: DatabaseUrl) -> None:
    """Bring the database to the newest schema; harmless where it is there already."""
    asyncio.run(upgrade(database_url))
    typer.echo(f"the database is at revision {head_revision()}")
