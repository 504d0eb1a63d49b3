"""The trail of reads: who read what with a secret key, gathered and put into the audit in batches.

Reading must not wait for the audit. What was read is noted in memory, summed up by key and route,
and written every few seconds and at the end; only a process that is killed loses the last of it.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request

from services.api.references import customer_reference
from services.api.transactions import writing
from shared.clock import Clock
from shared.errors import PermanentError, RetryableError
from shared.identity.identifiers import identifier_id
from shared.keys import KeyKind, Principal
from shared.storage.audit import Act, record_act
from shared.storage.engine import driver_of

EVERY_SECONDS: Final = 2.0
MOST_NAMED: Final = 1_000
"""Customers that one entry names; further ones are only counted."""

READING: Final = frozenset({"GET", "HEAD"})

log = structlog.get_logger()


@dataclass(slots=True)
class _Reads:
    requests: int = 0
    customers: set[UUID] = field(default_factory=set)


class ReadTrail:
    """Of one process; ``run`` writes what ``note`` gathers.

    Args:
        engine: Of the database; stays the caller's.
        clock: The present.
    """

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._reads: dict[tuple[str, str], _Reads] = {}

    def note(self, principal: Principal, request: Request) -> None:
        """Note that the holder of a secret key reads; anything else is not for this trail."""
        if principal.kind is not KeyKind.SECRET or request.method not in READING:
            return
        route = getattr(request.scope.get("route"), "path_format", "")
        reads = self._reads.setdefault((principal.actor, route), _Reads())
        reads.requests += 1
        ref = request.path_params.get("ref")
        if isinstance(ref, str) and len(reads.customers) < MOST_NAMED:
            with contextlib.suppress(PermanentError):
                named = customer_reference(ref)
                reads.customers.add(named if isinstance(named, UUID) else identifier_id(named))

    async def run(self, stopping: asyncio.Event) -> None:
        """Write what was gathered now and then until *stopping*, and once more after it."""
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), EVERY_SECONDS)
            await self._try_to_write()

    async def write(self) -> None:
        """Write what was gathered so far.

        Raises:
            DatabaseUnavailable: it cannot be written now; nothing of it is forgotten.
        """
        if not self._reads:
            return
        reads, self._reads = self._reads, {}
        now = self._clock()
        try:
            async with writing(self._engine) as connection:
                driver = await driver_of(connection)
                for (actor, route), what in sorted(reads.items()):
                    await record_act(driver, _act(actor, route, what), at=now)
        except RetryableError:
            self._take_back(reads)
            raise

    async def _try_to_write(self) -> None:
        try:
            await self.write()
        except RetryableError as error:
            log.warning("reads_not_audited_yet", why=error.message)

    def _take_back(self, reads: dict[tuple[str, str], _Reads]) -> None:
        for key, what in reads.items():
            gathered = self._reads.setdefault(key, _Reads())
            gathered.requests += what.requests
            gathered.customers |= what.customers


def _act(actor: str, route: str, what: _Reads) -> Act:
    named = sorted(map(str, what.customers))
    return Act(
        actor,
        "data.read",
        f"route:{route}",
        details={"requests": what.requests, **({"customers": named} if named else {})},
    )
