"""Rotation of keys: a new one with the same rights; the old one works on beside it for a while."""

from dataclasses import replace

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.errors import Conflict, NotFound
from shared.instants import Instant, Micros, datetime_of
from shared.key_requests import KeyRequest
from shared.keys import MintedKey, RandomBase62, is_key_id
from shared.storage.access import StoredKey, create_key, random_base62, stored_key_of
from shared.storage.tables import keys


async def rotate_key(
    connection: AsyncConnection,
    key_id: str,
    *,
    pepper: bytes,
    now: Instant,
    overlap: Micros,
    chance: RandomBase62 = random_base62,
) -> tuple[MintedKey, StoredKey]:
    """Make a key with the rights of another, which then works on for *overlap* at most.

    Returns:
        The new key, whose text is known to the caller alone, and the old one.

    Raises:
        NotFound: There is no key of that id.
        Conflict: It is revoked or has expired; code ``key_not_in_force``.
    """
    former = await _locked_key(connection, key_id)
    if former.revoked_at is not None or (former.expires_at or now + 1) <= now:
        raise Conflict("the key is not in force any more: make a new one", code="key_not_in_force")
    request = KeyRequest(former.name, former.kind, former.source, former.scopes, former.expires_at)
    made = await create_key(connection, request, pepper=pepper, now=now, chance=chance)
    ends = min(now + overlap, former.expires_at or now + overlap)
    await connection.execute(
        update(keys).where(keys.c.id == key_id).values(expires_at=datetime_of(ends))
    )
    return made, replace(former, expires_at=ends)


async def _locked_key(connection: AsyncConnection, key_id: str) -> StoredKey:
    if is_key_id(key_id):
        found = await connection.execute(select(keys).where(keys.c.id == key_id).with_for_update())
        row = found.mappings().one_or_none()
        if row is not None:
            return stored_key_of(row)
    raise NotFound("there is no key of that id")
