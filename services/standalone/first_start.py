"""The first start: a stage model in force, a source, and the keys that open everything."""

from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.cli.connection import Credentials
from services.standalone.secrets import write_private
from shared.clock import Clock
from shared.errors import SetupError
from shared.journey.bundled import bundled_model
from shared.journey.loading import load_model
from shared.key_requests import KeyRequest
from shared.keys import Scope
from shared.storage.access import create_key, create_source, list_sources
from shared.storage.engine import driver_of
from shared.storage.stage_models import ensure_default_model
from shared.touchpoints import Channel

SOURCE: Final = "default"
MODEL: Final = "default"


async def prepare(
    engine: AsyncEngine, credentials: Path, *, url: str, pepper: bytes, clock: Clock
) -> tuple[Credentials, bool]:
    """Make sure of a stage model, a source and credentials.

    Args:
        engine: On a migrated database.
        credentials: The file that keeps them.
        url: Where the system will answer; kept up to date in the file.
        pepper: What keys are digested under.
        clock: The present.

    Returns:
        The credentials, and whether they were made just now.

    Raises:
        SetupError: the file is there but cannot be read.
    """
    await ensure_beginnings(engine, clock)
    kept = read_credentials(credentials)
    if kept is None:
        async with engine.begin() as connection:
            kept = await _make_credentials(connection, url, pepper, clock)
            write_private(credentials, _text(kept))
        return kept, True
    if kept.url != url:
        kept = msgspec.structs.replace(kept, url=url)
        write_private(credentials, _text(kept))
    return kept, False


async def ensure_beginnings(engine: AsyncEngine, clock: Clock) -> None:
    """Make sure that a migrated database has a stage model in force and the first source."""
    async with engine.begin() as connection:
        model = load_model(bundled_model(MODEL))
        await ensure_default_model(await driver_of(connection), model, now=clock())
        await _ensure_source(connection, clock)


def read_credentials(path: Path) -> Credentials | None:
    """Return the credentials kept at *path*; None if there are none yet.

    Raises:
        SetupError: the file cannot be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Credentials)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise SetupError(
            f"{path} is damaged ({error}): put it back from a backup, or remove it to get new keys"
        ) from error


async def _ensure_source(connection: AsyncConnection, clock: Clock) -> None:
    if not any(stored.source.name == SOURCE for stored in await list_sources(connection)):
        await create_source(connection, SOURCE, Channel.WEB.value, None, now=clock())


async def _make_credentials(
    connection: AsyncConnection, url: str, pepper: bytes, clock: Clock
) -> Credentials:
    write = KeyRequest(name="first write key", source=SOURCE)
    secret = KeyRequest(name="first secret key", scopes=frozenset(Scope))
    made = [
        await create_key(connection, wanted, pepper=pepper, now=clock())
        for wanted in (write, secret)
    ]
    return Credentials(url=url, source=SOURCE, write_key=made[0].text, secret_key=made[1].text)


def _text(credentials: Credentials) -> bytes:
    return msgspec.json.format(msgspec.json.encode(credentials)) + b"\n"
