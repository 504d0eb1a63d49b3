"""Personas, as PostgreSQL holds them."""

from datetime import datetime
from typing import Final, NamedTuple

import asyncpg
import msgspec

from shared.errors import NotFound
from shared.instants import Instant, datetime_of
from shared.journey.matchers import Matcher
from shared.journey.personas import Persona, persona_of
from shared.storage.audit import Act, record_act

_ALL: Final = "SELECT key, document, recorded_at FROM personas ORDER BY key"
_ONE: Final = "SELECT key, document, recorded_at FROM personas WHERE key = $1"
_PUT: Final = """
INSERT INTO personas (key, document, recorded_at) VALUES ($1, $2::json, $3)
ON CONFLICT (key) DO UPDATE
   SET document = excluded.document, recorded_at = excluded.recorded_at
RETURNING xmax = 0
"""
_DROP: Final = "DELETE FROM personas WHERE key = $1 RETURNING key"


class StoredPersona(NamedTuple):
    """A persona, and since when it is what it is."""

    persona: Persona
    recorded_at: datetime


async def list_personas(connection: asyncpg.Connection) -> list[StoredPersona]:
    """Return all personas by key."""
    return [_stored(row) for row in await connection.fetch(_ALL)]


async def find_persona(connection: asyncpg.Connection, key: str) -> StoredPersona:
    """Return one persona.

    Raises:
        NotFound: there is none of that key.
    """
    row = await connection.fetchrow(_ONE, key)
    if row is None:
        raise _none_of(key)
    return _stored(row)


async def match_of_persona(connection: asyncpg.Connection, key: str | None) -> Matcher | None:
    """Return what the persona *key* matches; None, which is everybody, where none is asked for.

    Raises:
        NotFound: there is none of that key.
    """
    return None if key is None else (await find_persona(connection, key)).persona.match


async def put_persona(
    connection: asyncpg.Connection, persona: Persona, *, actor: str, now: Instant
) -> bool:
    """Store *persona* in place of what had its key; returns whether nothing had."""
    document = msgspec.json.encode(persona.document).decode()
    is_new: bool = await connection.fetchval(_PUT, persona.key, document, datetime_of(now))
    await record_act(connection, Act(actor, "persona.set", f"persona:{persona.key}"), at=now)
    return is_new


async def drop_persona(
    connection: asyncpg.Connection, key: str, *, actor: str, now: Instant
) -> None:
    """Take a persona away; no customer changes.

    Raises:
        NotFound: there is none of that key.
    """
    if await connection.fetchval(_DROP, key) is None:
        raise _none_of(key)
    await record_act(connection, Act(actor, "persona.removed", f"persona:{key}"), at=now)


def _stored(row: asyncpg.Record) -> StoredPersona:
    return StoredPersona(
        persona_of(row["key"], msgspec.json.decode(row["document"])), row["recorded_at"]
    )


def _none_of(key: str) -> NotFound:
    return NotFound(f"there is no persona {key[:80]}; PUT /v1/personas/KEY makes one")
