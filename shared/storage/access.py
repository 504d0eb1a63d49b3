"""Sources and keys in PostgreSQL: made, listed, changed and revoked.

Every statement runs on the caller's connection, in the caller's transaction. Processes notice a
change within seconds, by the directory that each of them keeps.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import RowMapping, Select, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_leave
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.errors import Conflict, Fault, Invalid, NotFound
from shared.instants import Instant, datetime_of, instant_of
from shared.key_requests import KeyRequest
from shared.keys import (
    BASE62,
    KeyKind,
    MintedKey,
    RandomBase62,
    Scope,
    is_key_id,
    key_digest,
    mint_key,
)
from shared.source_documents import document_of, patched, settings_of, source_of
from shared.sources import NAME, Source
from shared.storage.tables import keys, sources
from shared.touchpoints import Channel, JsonValue


@dataclass(frozen=True, slots=True)
class StoredSource:
    """A source, when it was made, and when it was last changed."""

    source: Source
    created_at: Instant
    updated_at: Instant


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What may be told of a key; its text is not stored.

    ``last_used_at`` is exact to a minute or so.
    """

    id: str
    kind: KeyKind
    name: str | None
    source: str | None
    scopes: frozenset[Scope]
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Instant | None


def stored_source_of(row: RowMapping) -> Source:
    """Return the source that a row of ``sources`` holds; its settings are text."""
    document: JsonValue = msgspec.json.decode(row["settings"])
    return Source(row["name"], Channel(row["channel"]), settings_of(document))


def random_base62(length: int) -> str:
    """Return *length* unpredictable characters of BASE62."""
    return "".join(secrets.choice(BASE62) for _ in range(length))


async def create_source(
    connection: AsyncConnection, name: str, channel: str, settings: JsonValue, *, now: Instant
) -> StoredSource:
    """Make a source.

    Args:
        connection: In a transaction.
        name: Of the source; unique.
        channel: Of touchpoints that name none.
        settings: The document of its settings; None for the defaults.
        now: The present.

    Raises:
        Invalid: ``faults`` name all that is wrong.
        Conflict: There is a source of that name.
    """
    source = source_of(name, channel, settings)
    made = await connection.execute(
        insert_or_leave(sources)
        .values(
            name=source.name,
            channel=source.channel.value,
            settings=document_of(source.settings),
            created_at=datetime_of(now),
            updated_at=datetime_of(now),
        )
        .on_conflict_do_nothing()
        .returning(sources.c.name)
    )
    if made.one_or_none() is None:
        raise Conflict(f"there is a source named {name} already", code="source_exists")
    return StoredSource(source, now, now)


async def list_sources(connection: AsyncConnection) -> list[StoredSource]:
    """Return all sources by name."""
    found = await connection.execute(select(sources).order_by(sources.c.name))
    return [_stored_source(row) for row in found.mappings()]


async def read_source(connection: AsyncConnection, name: str) -> StoredSource:
    """Return one source.

    Raises:
        NotFound: There is none of that name.
    """
    return await _source_named(connection, select(sources), name)


async def update_source(
    connection: AsyncConnection,
    name: str,
    *,
    channel: str | None = None,
    settings: JsonValue = None,
    now: Instant,
) -> StoredSource:
    """Change a source.

    Args:
        connection: In a transaction.
        name: Of the source.
        channel: The new one; None leaves it.
        settings: Members to replace; a null member gets its default back; None leaves all.
        now: The present.

    Raises:
        NotFound: There is no source of that name.
        Invalid: ``faults`` name all that is wrong.
    """
    before = await _source_named(connection, select(sources).with_for_update(), name)
    wanted = before.source.settings
    if settings is not None:
        wanted = patched(wanted, settings)
    checked = source_of(name, channel or before.source.channel, document_of(wanted))
    await connection.execute(
        update(sources)
        .where(sources.c.name == name)
        .values(
            channel=checked.channel.value,
            settings=document_of(checked.settings),
            updated_at=datetime_of(now),
        )
    )
    return StoredSource(checked, before.created_at, now)


async def create_key(
    connection: AsyncConnection,
    request: KeyRequest,
    *,
    pepper: bytes,
    now: Instant,
    chance: RandomBase62 = random_base62,
) -> MintedKey:
    """Make a key; its text is known to the caller alone from then on.

    Args:
        connection: In a transaction.
        request: What the key is for.
        pepper: The digest's; the same in every process of the deployment.
        now: The present.
        chance: Where the key's characters come from.

    Raises:
        Invalid: The request is not clear, its source does not exist, or it would have ended.
    """
    kind = request.checked_kind()
    if request.expires_at is not None and request.expires_at <= now:
        fault = Fault("expires_at", "invalid_value", "must lie in the future")
        raise Invalid("expires_at must lie in the future", code="invalid_key", faults=[fault])
    if request.source is not None:
        await _require_source(connection, request.source)
    minted = mint_key(kind, chance)
    await connection.execute(
        insert(keys).values(
            id=minted.id,
            kind=kind.value,
            name=request.name,
            source=request.source,
            scopes=sorted(request.scopes),
            digest=key_digest(pepper, minted.text),
            created_at=datetime_of(now),
            expires_at=_moment(request.expires_at),
        )
    )
    return minted


async def list_keys(connection: AsyncConnection) -> list[StoredKey]:
    """Return all keys, also revoked and expired ones, in the order they were made."""
    found = await connection.execute(select(keys).order_by(keys.c.created_at, keys.c.id))
    return [stored_key_of(row) for row in found.mappings()]


async def revoke_key(connection: AsyncConnection, key_id: str, *, now: Instant) -> StoredKey:
    """Revoke a key for ever; a key that was revoked before keeps the time of that.

    Raises:
        NotFound: There is no key of that id.
    """
    if is_key_id(key_id):
        revoked = await connection.execute(
            update(keys)
            .where(keys.c.id == key_id)
            .values(revoked_at=func.coalesce(keys.c.revoked_at, datetime_of(now)))
            .returning(keys)
        )
        row = revoked.mappings().one_or_none()
        if row is not None:
            return stored_key_of(row)
    raise NotFound("there is no key of that id")


async def _source_named(
    connection: AsyncConnection, question: Select[*tuple[object, ...]], name: str
) -> StoredSource:
    """Ask *question* of the source *name*; what cannot be a name is not asked for."""
    if NAME.fullmatch(name) is not None:
        found = await connection.execute(question.where(sources.c.name == name))
        row = found.mappings().one_or_none()
        if row is not None:
            return _stored_source(row)
    raise NotFound("there is no source of that name")


async def _require_source(connection: AsyncConnection, name: str) -> None:
    try:
        await _source_named(connection, select(sources), name)
    except NotFound:
        message = "must name a source that exists"
        raise Invalid(
            f"source {message}", faults=[Fault("source", "unknown_source", message)]
        ) from None


def _stored_source(row: RowMapping) -> StoredSource:
    return StoredSource(
        stored_source_of(row), instant_of(row["created_at"]), instant_of(row["updated_at"])
    )


def stored_key_of(row: RowMapping) -> StoredKey:
    """Return the key that a row of ``keys`` holds."""
    return StoredKey(
        id=row["id"],
        kind=KeyKind(row["kind"]),
        name=row["name"],
        source=row["source"],
        scopes=frozenset(Scope(scope) for scope in row["scopes"]),
        created_at=instant_of(row["created_at"]),
        expires_at=_instant(row["expires_at"]),
        revoked_at=_instant(row["revoked_at"]),
        last_used_at=_instant(row["last_used_at"]),
    )


def _instant(moment: datetime | None) -> Instant | None:
    return None if moment is None else instant_of(moment)


def _moment(instant: Instant | None) -> datetime | None:
    return None if instant is None else datetime_of(instant)
