"""The identity policy of the deployment, as PostgreSQL holds it, and how far it is applied."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

import asyncpg
import msgspec

from shared.errors import DatabaseUnavailable, PolicyRefused
from shared.identity.policy import Policy
from shared.identity.policy_documents import default_policy, document_of, policy_of
from shared.instants import Instant, datetime_of
from shared.storage.audit import Act, record_act

_LATEST: Final = "SELECT document, applied_at FROM policies ORDER BY id DESC LIMIT 1"
_IN_FULL: Final = """
SELECT id, document, actor, reason, recorded_at, applied_at, identifiers_done, identifiers_of
  FROM policies ORDER BY id DESC LIMIT 1
"""
_SHARE: Final = "SELECT pg_advisory_xact_lock_shared($1)"
_HOLD: Final = "SELECT pg_advisory_xact_lock($1)"
_LOCK: Final = 0x706F6C69
"""Of the policy: "poli" in ASCII."""
_SET: Final = """
INSERT INTO policies (document, actor, reason, recorded_at, identifiers_of)
VALUES ($1::json, $2, $3, $4, (SELECT count(*) FROM identifiers))
RETURNING id
"""


class PolicyInForce(NamedTuple):
    """The policy that links are folded under, and whether all customers follow from it by now."""

    policy: Policy
    settled: bool


class StoredPolicy(NamedTuple):
    """The policy that was set last: by whom, why, when; applied so far to some identifiers."""

    id: int
    policy: Policy
    actor: str
    reason: str
    recorded_at: datetime
    applied_at: datetime | None
    identifiers_done: int
    identifiers_of: int


async def stored_policy(connection: asyncpg.Connection) -> Policy:
    """Return the policy in force: the one that was set last, else the one that is built in.

    Raises:
        DatabaseUnavailable: It was set by a newer version and cannot be read by this one.
    """
    return _in_force(await connection.fetch(_LATEST)).policy


async def hold_policy(connection: asyncpg.Connection) -> PolicyInForce:
    """Return the policy in force, which stays so until *connection*'s transaction ends.

    To be called before the transaction locks any rows.
    """
    await connection.execute(_SHARE, _LOCK)
    return _in_force(await connection.fetch(_LATEST))  # sees what was committed during the wait


async def read_stored_policy(connection: asyncpg.Connection) -> StoredPolicy | None:
    """Return the policy that was set last; None while the one that is built in is in force."""
    row = await connection.fetchrow(_IN_FULL)
    if row is None:
        return None
    id_, document, *rest = row
    return StoredPolicy(id_, _read(document), *rest)


async def set_policy(
    connection: asyncpg.Connection, policy: Policy, *, actor: str, reason: str, now: Instant
) -> bool:
    """Put *policy* in force for all that comes; a classifier applies it to what there is.

    Waits for the transactions that work under the one before it.

    Returns:
        False where it was in force already; nothing is changed then.
    """
    await connection.execute(_HOLD, _LOCK)
    if _in_force(await connection.fetch(_LATEST)).policy == policy:
        return False
    document = msgspec.json.encode(document_of(policy)).decode()
    id_ = await connection.fetchval(_SET, document, actor, reason, datetime_of(now))
    await record_act(connection, Act(actor, "policy.set", f"policy:{id_}", reason), at=now)
    return True


def _in_force(latest: Sequence[asyncpg.Record]) -> PolicyInForce:
    if not latest:
        return PolicyInForce(default_policy(), settled=True)
    [row] = latest
    return PolicyInForce(_read(row["document"]), row["applied_at"] is not None)


@lru_cache(4)
def _read(document: str) -> Policy:
    try:
        return policy_of(msgspec.json.decode(document))
    except PolicyRefused as refused:
        raise DatabaseUnavailable(f"the identity policy cannot be read: {refused}") from refused
