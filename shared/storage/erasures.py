"""Erasures in PostgreSQL: the digests of what was erased, and the certificates that say so."""

from collections.abc import Collection, Mapping
from typing import Final
from uuid import UUID

import asyncpg

from shared.erasure import Erased, Remembered
from shared.errors import NotFound
from shared.instants import Instant, datetime_of

ERASURE_LOCK: Final = 7243003
"""Number of the advisory lock that batches share, and an erasure holds alone."""

HOLD_OFF_ERASURES: Final = f"SELECT pg_advisory_xact_lock_shared({ERASURE_LOCK})"
"""No erasure begins or commits until the transaction of this ends."""

_FOUND: Final = """
SELECT digest, certificate_id, CASE WHEN lifted_at IS NOT NULL THEN erased_at END AS until
  FROM erasures WHERE digest = ANY($1::bytea[])
"""
_NEWEST: Final = "SELECT coalesce(max(number), 0) FROM certificates"
_REMEMBER: Final = """
INSERT INTO erasures (digest, kind, certificate_id, erased_at, lifted_at)
SELECT digest, kind, certificate_id, $4::timestamptz,
       CASE WHEN kind = ANY($5::text[]) THEN $4::timestamptz END
  FROM unnest($1::bytea[], $2::text[], $3::uuid[]) AS given (digest, kind, certificate_id)
ON CONFLICT (digest) DO UPDATE
   SET certificate_id = excluded.certificate_id, erased_at = excluded.erased_at,
       lifted_at = excluded.lifted_at
 WHERE erasures.lifted_at IS NOT NULL
"""
_LIFT: Final = """
UPDATE erasures SET lifted_at = $2
 WHERE certificate_id = $1 AND kind = 'identifier' AND lifted_at IS NULL
"""
_CERTIFICATES: Final = """
SELECT id, erased_at, suppressed, document, lifted_at, log_cleared_at FROM certificates
 ORDER BY erased_at DESC, id LIMIT $1
"""
_CERTIFICATE: Final = """
SELECT id, erased_at, suppressed, document, lifted_at, log_cleared_at, number FROM certificates
 WHERE id = $1
"""
_LIFTED: Final = """
UPDATE certificates SET lifted_at = coalesce(lifted_at, $2) WHERE id = $1 AND suppressed
"""


async def erased_among(
    connection: asyncpg.Connection, digests: Collection[bytes]
) -> Mapping[bytes, Remembered]:
    """Return those of *digests* that are of something erased, and what that keeps out."""
    rows = await connection.fetch(_FOUND, list(digests))
    return {row["digest"]: Remembered(row["certificate_id"], row["until"]) for row in rows}


async def newest_erasure(connection: asyncpg.Connection) -> int:
    """Return the number of the newest erasure; 0 if there was none.

    Erasures are numbered in the order in which they commit, since each keeps the others off.
    """
    return int(await connection.fetchval(_NEWEST))


async def remember_erased(
    connection: asyncpg.Connection,
    kinds: Mapping[bytes, Erased],
    certificates: Mapping[bytes, UUID],
    *,
    now: Instant,
    lets_in: Collection[Erased] = (),
) -> None:
    """Remember digests of what is erased at *now*; one that was lifted is in force again.

    Of kinds in *lets_in*, only what was received by now is kept out.
    """
    digests = list(kinds)
    named = [kinds[digest].value for digest in digests]
    ids = [certificates[digest] for digest in digests]
    lifted = [kind.value for kind in lets_in]
    if digests:
        await connection.execute(_REMEMBER, digests, named, ids, datetime_of(now), lifted)


async def list_certificates(connection: asyncpg.Connection, limit: int) -> list[asyncpg.Record]:
    """Return certificates, the newest first."""
    rows: list[asyncpg.Record] = await connection.fetch(_CERTIFICATES, limit)
    return rows


async def read_certificate(connection: asyncpg.Connection, certificate_id: UUID) -> asyncpg.Record:
    """Return one certificate.

    Raises:
        NotFound: there is none of that id.
    """
    row = await connection.fetchrow(_CERTIFICATE, certificate_id)
    if row is None:
        raise NotFound("no certificate has that id")
    return row


async def lift_suppression(
    connection: asyncpg.Connection, certificate_id: UUID, *, now: Instant
) -> None:
    """Let the identifiers of an erasure be used again; what was erased stays erased."""
    await connection.execute(_LIFT, certificate_id, datetime_of(now))
    await connection.execute(_LIFTED, certificate_id, datetime_of(now))
