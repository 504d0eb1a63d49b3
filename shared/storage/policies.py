"""The identity policy of the deployment, as PostgreSQL holds it."""

from functools import lru_cache
from typing import Final

import asyncpg
import msgspec

from shared.errors import DatabaseUnavailable, PolicyRefused
from shared.identity.policy import Policy
from shared.identity.policy_documents import default_policy, policy_of

POLICY: Final = "identity_policy"
"""The name under which ``deployment`` holds the policy, if it has been given one."""

_POLICY: Final = "SELECT value::text FROM deployment WHERE name = $1"


async def stored_policy(connection: asyncpg.Connection) -> Policy:
    """Return the policy in force: the one that was set, else the one that is built in.

    Raises:
        DatabaseUnavailable: It was set by a newer version and cannot be read by this one.
    """
    document = await connection.fetchval(_POLICY, POLICY)
    return default_policy() if document is None else _read(document)


@lru_cache(4)
def _read(document: str) -> Policy:
    try:
        return policy_of(msgspec.json.decode(document))
    except PolicyRefused as refused:
        raise DatabaseUnavailable(f"the identity policy cannot be read: {refused}") from refused
