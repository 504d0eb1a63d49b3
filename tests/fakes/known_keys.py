"""A directory of keys that were told to it, without a database."""

from collections.abc import Mapping
from typing import Final

from shared.errors import Unauthorized
from shared.identity.policy import Policy
from shared.identity.policy_documents import default_policy
from shared.keys import KeyKind, Principal, Scope


def secret(*scopes: Scope) -> Principal:
    """Return the holder of a secret key with *scopes*."""
    return Principal(KeyKind.SECRET, "test", None, frozenset(scopes))


EVERYTHING: Final = secret(*Scope)
WRITER: Final = Principal(KeyKind.WRITE, "web", "web", frozenset({Scope.TOUCHPOINTS_WRITE}))


class KnownKeys:
    """Knows exactly the keys in *holders*, and the policy of a new deployment."""

    def __init__(self, holders: Mapping[str, Principal]) -> None:
        self._holders = dict(holders)

    @property
    def policy(self) -> Policy:
        return default_policy()

    async def authenticate(self, presented: str | None) -> Principal:
        """Return the holder of *presented*, or raise Unauthorized."""
        if presented is None or presented not in self._holders:
            raise Unauthorized("present a key that is in force")
        return self._holders[presented]
