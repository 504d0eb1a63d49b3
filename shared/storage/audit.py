"""The audit: who did what by hand, when and why; rows are only added, each chained to the last.

Every row's hash covers the hash of the row before, so that a row that was changed, taken out or
put in between shows. Where the chain ends is kept beside it, so that it shows when the last rows
are taken out, too, also after others were added. Entries name things by ids and never by
identifiers: they outlive an erasure.
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

import asyncpg
import msgspec

from shared.instants import Instant, datetime_of, instant_of, rfc3339
from shared.touchpoints import JsonObject

FIRST: Final = bytes(32)
"""What the first row takes for the hash of the row before it."""

_LOCK: Final = "SELECT pg_advisory_xact_lock($1)"
_CHAIN: Final = 0x61756474
"""Of the chain's end: "audt" in ASCII."""
_END: Final = """
SELECT (value ->> 'id')::bigint AS id, decode(value ->> 'hash', 'hex') AS hash
  FROM deployment WHERE name = 'audit_end'
"""
_LAST: Final = "SELECT hash FROM audit ORDER BY id DESC LIMIT 1"
"""Of a database that has not kept the end yet."""
_ADD: Final = """
WITH added AS (
    INSERT INTO audit (at, actor, action, subject, reason, details, previous_hash, hash)
    VALUES ($1, $2, $3, $4, $5, $6::json, $7, $8)
    RETURNING id, hash)
INSERT INTO deployment (name, value)
SELECT 'audit_end', json_build_object('id', id, 'hash', encode(hash, 'hex')) FROM added
ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
_PAGE: Final = """
SELECT id, at, actor, action, subject, reason, details, previous_hash, hash
  FROM audit WHERE id > $1 ORDER BY id LIMIT 1000
"""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that somebody did by hand.

    Attributes:
        actor: Who, such as ``key:ID``.
        action: What, as ``noun.verb``.
        subject: What it was done to, as ``kind:id``.
        reason: Why, in the actor's words; None where none was asked for.
        details: What else an auditor needs; ids only.
    """

    actor: str
    action: str
    subject: str
    reason: str | None = None
    details: JsonObject = field(default_factory=dict)


async def record_act(connection: asyncpg.Connection, act: Act, *, at: Instant) -> None:
    """Add *act* to the audit.

    Others who add wait until the transaction ends, so this comes last in it.

    Args:
        connection: In the transaction that does what *act* says.
        act: What is done.
        at: The transaction's time.
    """
    await connection.execute(_LOCK, _CHAIN)
    end = await connection.fetchrow(_END)
    previous = (await connection.fetchval(_LAST) or FIRST) if end is None else end["hash"]
    details = msgspec.json.encode(act.details, order="sorted").decode()
    digest = _hash(previous, at, act, details)
    said = (act.actor, act.action, act.subject, act.reason)
    await connection.execute(_ADD, datetime_of(at), *said, details, previous, digest)


async def broken_links(connection: asyncpg.Connection) -> AsyncIterator[int]:
    """Yield the id of every row that does not follow from the row before it.

    The last is that of the row that was the end of the chain, if it is not there any more.
    """
    last, previous = 0, FIRST
    while page := await connection.fetch(_PAGE, last):
        for row in page:
            act = Act(row["actor"], row["action"], row["subject"], row["reason"])
            expected = _hash(previous, instant_of(row["at"]), act, row["details"])
            if row["previous_hash"] != previous or row["hash"] != expected:
                yield row["id"]
            last, previous = row["id"], row["hash"]
    end = await connection.fetchrow(_END)
    if end is not None and (end["id"], end["hash"]) != (last, previous):
        yield end["id"]


def _hash(previous: bytes, at: Instant, act: Act, details: str) -> bytes:
    said = [rfc3339(at), act.actor, act.action, act.subject, act.reason, details]
    return hashlib.sha256(previous + msgspec.json.encode(said)).digest()
