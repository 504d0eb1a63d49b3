"""Delivering: every process of the API takes deliveries that are due and tries them.

Endpoints are worked on beside each other, each by one task of a process, so that a slow one holds
up nobody else. An endpoint that fails is left alone for a while, and then tried with one message.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter
from typing import Final
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.webhooks.deliveries import (
    GONE,
    Settled,
    Taken,
    disable_endpoint,
    forget_deliveries,
    note_failed,
    note_well,
    queue_deliveries,
    settle_deliveries,
    take_deliveries,
)
from services.api.webhooks.payloads import payload
from services.api.webhooks.schedule import asked_pause, next_attempt, pause_of
from services.api.webhooks.secrets import secret_of, signatures, signing_generations
from services.api.webhooks.sending import Outcome, Sender
from services.api.webhooks.slots import Slots
from shared.clock import Clock
from shared.errors import RetryableError
from shared.instants import DAY, HOUR, SECOND, Instant, Micros, instant_of, rfc3339
from shared.metrics import (
    WEBHOOK_ATTEMPT_SECONDS,
    WEBHOOK_ATTEMPTS,
    WEBHOOK_FAILING,
    WEBHOOK_WAITING,
)
from shared.upkeep.transactions import transaction

log = structlog.get_logger()

AT_ONCE: Final = 10
"""Messages on their way to one endpoint at a time."""
CONNECTIONS: Final = 3
"""Of the database, which answering requests needs too."""
PAUSE_SECONDS: Final = 0.5
KEEP: Final[Micros] = 30 * DAY
COUNT_EVERY: Final[Micros] = 10 * SECOND
"""There may be ten thousand for each endpoint."""

_ACTIVE: Final = """
SELECT id, url, rotated_at, failures, paused_until FROM webhooks
 WHERE status = 'active' AND ($1::uuid IS NULL OR id = $1)
"""
_WAITING: Final = "SELECT count(*) FROM deliveries WHERE status = 'pending'"

Chance = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint as it was when this round began; it may be changed at any time."""

    id: UUID
    url: str
    rotated_at: tuple[Instant, ...]
    failures: int
    paused_until: Instant | None


def random_chance() -> float:
    """Return a uniform draw from [0, 1)."""
    return secrets.randbelow(1 << 30) / (1 << 30)


class Deliveries:
    """Sends what has to be sent; several processes may do so at once.

    Args:
        engine: Of the primary.
        sender: Sends single messages.
        pepper: What secrets are derived from.
        clock: The present.
        chance: Spreads retries; a uniform draw from [0, 1].
    """

    def __init__(
        self,
        engine: AsyncEngine,
        sender: Sender,
        pepper: bytes,
        *,
        clock: Clock,
        chance: Chance = random_chance,
    ) -> None:
        self._engine = engine
        self._sender = sender
        self._pepper = pepper
        self._clock = clock
        self._chance = chance
        self._connections = asyncio.Semaphore(CONNECTIONS)
        self._slots = Slots()
        self._working: dict[UUID, asyncio.Task[None]] = {}
        self._swept_at: Instant = 0
        self._counted_at: Instant = 0
        self._ending = False

    @property
    def allow_private(self) -> bool:
        """Whether endpoints may be in private networks, and spoken to over plain http."""
        return self._sender.allow_private

    async def run(self, stopping: asyncio.Event) -> None:
        """Deliver until *stopping* is set; attempts under way end first."""
        try:
            while not stopping.is_set():
                try:
                    await self._begin()
                except RetryableError as error:
                    log.warning("webhooks_wait", why=error.message)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), PAUSE_SECONDS)
        finally:
            self._ending = True
            await asyncio.gather(*self._working.values())

    async def deliver_due(self) -> None:
        """Deliver all that is due now, and return."""
        await self._begin()
        await asyncio.gather(*self._working.values())

    async def send_once(self, endpoint: Endpoint, message_id: str, body: bytes) -> Outcome:
        """Send one message to *endpoint*, signed, and return how that ended."""
        now = self._clock()
        keys = [
            secret_of(self._pepper, endpoint.id, generation)
            for generation in signing_generations(endpoint.rotated_at, now)
        ]
        headers = {
            b"webhook-id": message_id.encode(),
            b"webhook-timestamp": str(now // SECOND).encode(),
            b"webhook-signature": signatures(keys, message_id, now, body).encode(),
        }
        began = perf_counter()
        outcome = await self._sender.send(endpoint.url, headers, body)
        WEBHOOK_ATTEMPT_SECONDS.observe(perf_counter() - began)
        return outcome

    async def _begin(self) -> None:
        """Start a task for every endpoint that may be sent to and has none."""
        async with self._connected() as connection:
            found = [endpoint_of(row) for row in await connection.fetch(_ACTIVE, None)]
            if self._clock() - self._counted_at >= COUNT_EVERY:
                WEBHOOK_WAITING.set(await connection.fetchval(_WAITING))
                self._counted_at = self._clock()
            if self._clock() - self._swept_at >= HOUR:
                await forget_deliveries(connection, self._clock() - KEEP)
                self._swept_at = self._clock()
        WEBHOOK_FAILING.set(sum(endpoint.failures > 0 for endpoint in found))
        for endpoint in found:
            resting = endpoint.paused_until is not None and endpoint.paused_until > self._clock()
            if not resting and endpoint.id not in self._working:
                task = asyncio.create_task(self._work(endpoint.id))
                self._working[endpoint.id] = task

    async def _work(self, webhook_id: UUID) -> None:
        """Deliver what is due to an endpoint, until nothing is or an attempt fails."""
        try:
            while await self._round(webhook_id) and not self._ending:
                pass
        except RetryableError as error:
            log.warning("webhook_waits", webhook=str(webhook_id), why=error.message)
        except Exception:  # one endpoint's trouble must not keep the others from being told
            log.exception("webhook_failed", webhook=str(webhook_id))
        finally:
            del self._working[webhook_id]

    async def _round(self, webhook_id: UUID) -> bool:
        """Try some deliveries; tell whether to go on."""
        slots = await self._slots.take(AT_ONCE)
        try:
            async with self._connected() as connection:
                row = await connection.fetchrow(_ACTIVE, webhook_id)
                if row is None:
                    return False
                endpoint = endpoint_of(row)
                most = 1 if endpoint.failures else slots
                more = await queue_deliveries(connection, webhook_id, self._clock())
                taken = await take_deliveries(connection, webhook_id, self._clock(), most)
            self._slots.give_back(slots - len(taken))
            slots = len(taken)
            outcomes = await asyncio.gather(*(self._attempt(endpoint, one) for one in taken))
        finally:
            self._slots.give_back(slots)
        if not taken:
            return more
        async with self._connected() as connection:
            return await self._settle(connection, endpoint, taken, outcomes)

    async def _attempt(self, endpoint: Endpoint, one: Taken) -> Outcome:
        if one.data is None:
            return Outcome(None, "its message is no longer kept")
        body = payload(one.type, rfc3339(one.told_at), one.data)
        return await self.send_once(endpoint, one.message_id, body)

    async def _settle(
        self,
        connection: asyncpg.Connection,
        endpoint: Endpoint,
        taken: Sequence[Taken],
        outcomes: Sequence[Outcome],
    ) -> bool:
        now = self._clock()
        settled = [self._settled(*pair, now) for pair in zip(taken, outcomes, strict=True)]
        await settle_deliveries(connection, settled, now)
        if any(outcome.status == HTTPStatus.GONE for outcome in outcomes):
            log.warning("webhook_disabled", webhook=str(endpoint.id), why=GONE)
            await disable_endpoint(connection, endpoint.id, GONE)
            return False
        failed = [outcome for outcome in outcomes if not outcome.delivered]
        if not failed:
            await note_well(connection, endpoint.id)
            return not endpoint.failures
        asked = [asked_pause(outcome.retry_after, now) for outcome in failed]
        until = max([pause_of(endpoint.failures + 1, now), *(at for at in asked if at)])
        await note_failed(connection, endpoint.id, until)
        return False

    def _settled(self, one: Taken, outcome: Outcome, now: Instant) -> Settled:
        if outcome.delivered:
            WEBHOOK_ATTEMPTS.labels("delivered").inc()
            return Settled(one.id, "delivered", outcome.status, None)
        error = outcome.error or f"answered {outcome.status}"
        again = None if one.data is None else next_attempt(one.attempts + 1, now, self._chance())
        if again is None or outcome.status == HTTPStatus.GONE:
            result = "disabled" if outcome.status == HTTPStatus.GONE else "given_up"
            WEBHOOK_ATTEMPTS.labels(result).inc()
            return Settled(one.id, "failed", outcome.status, error)
        WEBHOOK_ATTEMPTS.labels("failed").inc()
        due_at = max(again, asked_pause(outcome.retry_after, now) or again)
        return Settled(one.id, "pending", outcome.status, error, due_at)

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[asyncpg.Connection]:
        async with self._connections, transaction(self._engine) as connection:
            yield connection


def endpoint_of(row: asyncpg.Record) -> Endpoint:
    """Return the endpoint of a row of ``webhooks``."""
    paused_until = row["paused_until"]
    return Endpoint(
        id=UUID(int=row["id"].int),
        url=row["url"],
        rotated_at=tuple(instant_of(at) for at in row["rotated_at"]),
        failures=row["failures"],
        paused_until=None if paused_until is None else instant_of(paused_until),
    )
