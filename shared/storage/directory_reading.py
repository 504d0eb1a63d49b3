"""What stands in PostgreSQL of keys, sources and the identity policy, read at one go."""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

import asyncpg
import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.errors import DatabaseUnavailable, Invalid
from shared.identity.policy import Policy
from shared.instants import Instant, datetime_of, instant_of
from shared.keys import WRITE_KEY_SCOPES, KeyKind, Principal, Scope
from shared.source_documents import settings_of
from shared.sources import Source
from shared.storage.engine import OUTAGES, checked_out
from shared.storage.policies import stored_policy
from shared.touchpoints import Channel

_KEYS: Final = """
SELECT id, kind, source, scopes, digest, expires_at FROM keys WHERE revoked_at IS NULL
"""
_SOURCES: Final = "SELECT name, channel, settings::text FROM sources"
_USED: Final = """
UPDATE keys SET last_used_at = greatest(keys.last_used_at, used.at)
  FROM unnest($1::text[], $2::timestamptz[]) AS used(id, at)
 WHERE keys.id = used.id
"""
_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that has not been revoked, and whose it is."""

    principal: Principal
    expires_at: Instant | None

    def in_force(self, now: Instant) -> bool:
        """Tell whether the key has not expired at *now*."""
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class Directory:
    """What was known at one moment: sources by name, keys by digest, the identity policy."""

    sources: Mapping[str, Source]
    keys: Mapping[bytes, KnownKey]
    policy: Policy

    def joined(self, keys: Mapping[bytes, KnownKey], sources: Mapping[str, Source]) -> "Directory":
        """Return this directory with what else has been found."""
        return replace(self, keys={**self.keys, **keys}, sources={**self.sources, **sources})


async def read_directory(engine: AsyncEngine) -> Directory:
    """Read everything.

    Keys are read before sources, so that no key's source is missing.

    Raises:
        DatabaseUnavailable: The database does not answer, or has not been migrated yet.
    """
    async with _reading(engine) as connection:
        keys = _keys(await connection.fetch(_KEYS))
        sources = _sources(await connection.fetch(_SOURCES))
        policy = await stored_policy(connection)
    return Directory(sources, keys, policy)


async def find_key(
    engine: AsyncEngine, digest: bytes
) -> tuple[Mapping[bytes, KnownKey], Mapping[str, Source]]:
    """Look one key up by its *digest*, with its source; two empty mappings if there is none.

    Raises:
        DatabaseUnavailable: The database does not answer.
    """
    async with _reading(engine) as connection:
        keys = _keys(await connection.fetch(f"{_KEYS} AND digest = $1", digest))
        names = [known.principal.source for known in keys.values()]
        rows = await connection.fetch(f"{_SOURCES} WHERE name = ANY($1::text[])", names)
    return keys, _sources(rows)


async def find_source(engine: AsyncEngine, name: str) -> Mapping[str, Source]:
    """Look one source up by its *name*; an empty mapping if there is none.

    Raises:
        DatabaseUnavailable: The database does not answer.
    """
    async with _reading(engine) as connection:
        return _sources(await connection.fetch(f"{_SOURCES} WHERE name = $1", name))


async def store_uses(engine: AsyncEngine, uses: Mapping[str, Instant]) -> None:
    """Store when keys, by their id, were last used.

    Raises:
        DatabaseUnavailable: The database does not answer.
    """
    async with _reading(engine) as connection:
        moments = [datetime_of(at) for at in uses.values()]
        await connection.execute(_USED, list(uses), moments)


@asynccontextmanager
async def _reading(engine: AsyncEngine) -> AsyncGenerator[asyncpg.Connection]:
    try:
        async with checked_out(engine) as connection:
            yield connection
    except OUTAGES as error:
        raise DatabaseUnavailable(
            f"keys and sources cannot be read ({type(error).__name__}): try again soon"
        ) from error


def _keys(rows: Iterable[asyncpg.Record]) -> dict[bytes, KnownKey]:
    return {row["digest"]: _known_key(row) for row in rows}


def _known_key(row: asyncpg.Record) -> KnownKey:
    kind = KeyKind(row["kind"])
    scopes = WRITE_KEY_SCOPES
    if kind is KeyKind.SECRET:
        scopes = frozenset(Scope(name) for name in row["scopes"] if name in set(Scope))
    expires_at = row["expires_at"] and instant_of(row["expires_at"])
    return KnownKey(Principal(kind, row["id"], row["source"], scopes), expires_at)


def _sources(rows: Iterable[asyncpg.Record]) -> dict[str, Source]:
    found: dict[str, Source] = {}
    for row in rows:
        try:
            settings = settings_of(msgspec.json.decode(row["settings"]))
            found[row["name"]] = Source(row["name"], Channel(row["channel"]), settings)
        except (Invalid, ValueError) as wrong:  # of another version; the others must not suffer
            _log.error("a source cannot be read", source=row["name"], why=str(wrong))
    return found
