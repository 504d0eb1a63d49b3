"""The audit: its entries, newest first, and whether they hang together."""

from dataclasses import dataclass
from typing import Final

import asyncpg
import msgspec

from shared.instants import Instant, datetime_of

_PAGE: Final = """
SELECT id, at, actor, action, subject, reason, details, hash FROM audit
 WHERE ($1::text IS NULL OR actor = $1) AND ($2::text IS NULL OR action = $2)
   AND ($3::text IS NULL OR subject = $3) AND at >= $4 AND id < $5
 ORDER BY id DESC LIMIT $6
"""
_END: Final = "SELECT count(*) AS entries, max(id) AS last_id FROM audit"
_HEAD: Final = "SELECT hash FROM audit WHERE id = $1"


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries; None means any."""

    actor: str | None
    action: str | None
    subject: str | None
    since: Instant


class AuditMark(msgspec.Struct, frozen=True, array_like=True):
    """The last entry of a page."""

    id: int


async def read_audit(
    connection: asyncpg.Connection, wanted: AuditFilter, after: AuditMark, limit: int
) -> list[asyncpg.Record]:
    """Return up to *limit* entries older than *after*, the newest first."""
    rows: list[asyncpg.Record] = await connection.fetch(
        _PAGE,
        wanted.actor,
        wanted.action,
        wanted.subject,
        datetime_of(wanted.since),
        after.id,
        limit,
    )
    return rows


async def read_end(connection: asyncpg.Connection) -> tuple[int, bytes | None]:
    """Return how many entries there are, and the hash of the last one."""
    row = await connection.fetchrow(_END)
    return row["entries"], await connection.fetchval(_HEAD, row["last_id"])
