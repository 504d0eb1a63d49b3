"""The directory: whose key a request presents, and what is set for each source.

Every process keeps a copy of both, because taking touchpoints in must not wait for PostgreSQL, nor
stop with it. The copy is renewed every few seconds; while PostgreSQL is away the last one stays.
"""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.clock import Clock
from shared.errors import DatabaseUnavailable, Unauthorized
from shared.identity.policy import Policy
from shared.instants import MINUTE, SECOND, Instant, Micros
from shared.keys import Principal, is_key, key_digest
from shared.metrics import AUTH_FAILURES, DIRECTORY_REFRESHED
from shared.sources import API_SOURCE, NAME, Source
from shared.storage.directory_reading import (
    Directory,
    KnownKey,
    find_key,
    find_source,
    read_directory,
    store_uses,
)
from shared.storage.look_ups import Absent, Turns

REFRESH_SECONDS: Final = 5.0
FORGET_UNKNOWN: Final[Micros] = SECOND
NOTE_USE: Final[Micros] = MINUTE

_LONGEST_READ_SECONDS: Final = 10.0
_MOST_UNKNOWN: Final = 10_000
_LOOK_UPS: Final = 1
_MOST_WAITING: Final = 100

_log: Final = structlog.get_logger(__name__)


class DirectoryCache:
    """The copy of one process.

    As an asynchronous context manager it renews itself; otherwise only by ``refresh`` and by what
    it looks up. It belongs to one event loop.

    Args:
        engine: Of the database that has keys and sources; stays the caller's.
        pepper: What digests of keys are made under, the same in every process.
        clock: The present.
        refresh_seconds: Between two renewals.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        pepper: bytes,
        clock: Clock,
        *,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        self._engine = engine
        self._pepper = pepper
        self._clock = clock
        self._refresh_seconds = refresh_seconds
        self._directory: Directory | None = None
        self._away = False
        self._refreshing = asyncio.Lock()
        self._loading = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None
        self._turns = Turns(_LOOK_UPS, _MOST_WAITING)
        self._absent = Absent(FORGET_UNKNOWN, _MOST_UNKNOWN)
        self._noted: dict[str, Instant] = {}
        self._used: dict[str, Instant] = {}

    async def __aenter__(self) -> Self:
        with suppress(DatabaseUnavailable):
            await self.refresh()
        self._keeper = asyncio.create_task(self._keep_fresh())
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        with suppress(DatabaseUnavailable):
            await self._store_uses()

    async def authenticate(self, presented: str | None) -> Principal:
        """Return the holder of the key that a request presents.

        A key that is not known here is looked up, at most once a second.

        Raises:
            Unauthorized: No key is presented, or none that is in force.
            DatabaseUnavailable: PostgreSQL is away, and without it nobody can tell.
            Overloaded: Too many unknown keys are being looked up already.
        """
        if presented is None:
            raise _unauthorized("missing", "send a key, as Authorization: Bearer KEY")
        digest = key_digest(self._pepper, presented)
        now = self._clock()
        known = (self._directory or await self._loaded()).keys.get(digest)
        if known is None and is_key(presented) and not self._absent.holds(digest, now):
            known = await self._looked_up_key(digest)
        if known is None:
            raise _unauthorized("unknown", "this key is not known: it may be mistyped, or revoked")
        if not known.in_force(now):
            raise _unauthorized("expired", "this key has expired")
        self._note_use(known.principal.key_id, now)
        return known.principal

    def source(self, name: str) -> Source | None:
        """Return the source *name* as it was last read; None if there was none.

        Raises:
            DatabaseUnavailable: Nothing has been read yet.
        """
        built_in = API_SOURCE if name == API_SOURCE.name else None
        return self._known.sources.get(name, built_in)

    async def find_source(self, name: str) -> Source | None:
        """Return what ``source`` returns, but look an unknown name up, at most once a second.

        Raises:
            DatabaseUnavailable: PostgreSQL is away, and without it nobody can tell.
            Overloaded: Too much that is unknown is being looked up already.
        """
        if self._directory is None:
            await self._loaded()
        found = self.source(name)
        known_absent = NAME.fullmatch(name) is None or self._absent.holds(name, self._clock())
        if found is not None or known_absent:
            return found
        return await self._looked_up_source(name)

    @property
    def policy(self) -> Policy:
        """The identity policy as it was last read.

        Raises:
            DatabaseUnavailable: Nothing has been read yet.
        """
        return self._known.policy

    async def refresh(self) -> None:
        """Read everything anew; whatever was committed before this call is known after it.

        Raises:
            DatabaseUnavailable: It cannot be read; what was known stays known.
        """
        async with self._refreshing:
            try:
                async with asyncio.timeout(_LONGEST_READ_SECONDS):
                    self._directory = await read_directory(self._engine)
            except (DatabaseUnavailable, TimeoutError) as error:
                if not self._away:
                    _log.warning("keys and sources cannot be read", why=str(error))
                self._away = True
                raise _unavailable() from error
            self._away = False
            DIRECTORY_REFRESHED.set(self._clock() / SECOND)

    async def check(self) -> str | None:
        """Return why requests cannot be told apart yet; None if they can. For ``/readyz``."""
        return _unavailable().message if self._directory is None else None

    async def _loaded(self) -> Directory:
        """Return what is known; before anything is, whoever comes first reads it for all."""
        async with self._loading:
            if self._directory is None:
                self._refuse_if_away()
                await self.refresh()
        return self._known

    async def _looked_up_key(self, digest: bytes) -> KnownKey | None:
        async with self._turns.turn():
            self._refuse_if_away()
            found = self._known.keys.get(digest)
            if found is not None or self._absent.holds(digest, self._clock()):
                return found
            keys, sources = await find_key(self._engine, digest)
        self._directory = self._known.joined(keys, sources)
        if digest not in keys:
            self._absent.add(digest, self._clock())
        return keys.get(digest)

    async def _looked_up_source(self, name: str) -> Source | None:
        async with self._turns.turn():
            self._refuse_if_away()
            found = self.source(name)
            if found is not None or self._absent.holds(name, self._clock()):
                return found
            sources = await find_source(self._engine, name)
        self._directory = self._known.joined({}, sources)
        if name not in sources:
            self._absent.add(name, self._clock())
        return sources.get(name)

    @property
    def _known(self) -> Directory:
        if self._directory is None:
            raise _unavailable()
        return self._directory

    def _refuse_if_away(self) -> None:
        """Spare requests the wait for a database that the keeper knows to be away."""
        if self._away and self._keeper is not None:
            raise _unavailable()

    def _note_use(self, key_id: str, now: Instant) -> None:
        if now - self._noted.get(key_id, now - NOTE_USE) >= NOTE_USE:
            self._noted[key_id] = self._used[key_id] = now

    async def _store_uses(self) -> None:
        uses, self._used = self._used, {}
        if uses:
            await store_uses(self._engine, uses)

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(self._refresh_seconds)
            with suppress(DatabaseUnavailable):  # refresh() has said so
                await self.refresh()
                await self._store_uses()


def _unauthorized(reason: str, message: str) -> Unauthorized:
    AUTH_FAILURES.labels(reason).inc()
    return Unauthorized(message, code=f"{reason}_key")


def _unavailable() -> DatabaseUnavailable:
    return DatabaseUnavailable("keys and sources cannot be read now: try again soon")
