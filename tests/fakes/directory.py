"""A directory of sources and keys that were told to it, without a database."""

from collections.abc import Iterable, Mapping

from shared.errors import DatabaseUnavailable
from shared.identity.policy import Policy
from shared.identity.policy_documents import default_policy
from shared.keys import KeyKind, Principal, Scope
from shared.sources import API_SOURCE, Source
from tests.fakes.known_keys import KnownKeys


def writer_of(source: str) -> Principal:
    """Return the holder of a write key of *source*."""
    return Principal(KeyKind.WRITE, f"wk-{source}", source, frozenset({Scope.TOUCHPOINTS_WRITE}))


class InMemoryDirectory:
    """Knows exactly *sources* and the keys in *holders*; ``away`` is as if it had read nothing."""

    def __init__(self, sources: Iterable[Source], holders: Mapping[str, Principal]) -> None:
        self.sources = {source.name: source for source in [API_SOURCE, *sources]}
        self.away = False
        self._keys = KnownKeys(holders)

    @property
    def policy(self) -> Policy:
        """The default policy."""
        return default_policy()

    async def authenticate(self, presented: str | None) -> Principal:
        """Return the holder of *presented*, or raise Unauthorized."""
        self._check_there()
        return await self._keys.authenticate(presented)

    async def find_source(self, name: str) -> Source | None:
        """Return the source *name*, if there is one."""
        self._check_there()
        return self.sources.get(name)

    async def check(self) -> str | None:
        """Say why keys cannot be told apart, if they cannot."""
        return "keys and sources cannot be read now" if self.away else None

    def _check_there(self) -> None:
        if self.away:
            raise DatabaseUnavailable("keys and sources cannot be read now")
