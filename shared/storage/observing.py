"""Observing: all stored histories watched under one stage model."""

from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from shared.instants import Instant, datetime_of
from shared.journey.observing import Observations, Observer
from shared.journey.program import compile_model
from shared.storage.stage_models import stored_model
from shared.storage.stored_histories import stretches

CHUNK: Final = 200
"""Customers in one transaction."""

_COUNT: Final = "SELECT count(*) FROM customers"
_NEXT: Final = "SELECT id FROM customers WHERE id > $1 ORDER BY id LIMIT $2"
_DOCUMENT: Final = "SELECT document FROM models WHERE version = $1"
_HISTORIES: Final = """
SELECT i.customer_id, t.source, t.event_id, t.effective_at, t.channel, t.type, t.body
  FROM identifiers i JOIN touchpoints t ON t.identifier_id = i.id
 WHERE i.customer_id = ANY($1) AND t.effective_at <= $2
 ORDER BY i.customer_id, t.effective_at, t.source, t.event_id
"""


class Watched(msgspec.Struct, frozen=True, tag="progress", tag_field="kind"):
    """How many customers have been watched so far."""

    customers: int
    of: int


class AllSeen(msgspec.Struct, frozen=True, tag="result", tag_field="kind"):
    """What was seen of all of them."""

    seen: Observations


async def observe(
    connection: asyncpg.Connection, version: str, as_of: Instant
) -> AsyncIterator[Watched | AllSeen]:
    """Watch all customers; yields progress, what was seen last.

    Args:
        connection: In no transaction; writers may go on meanwhile.
        version: Of a model that is stored.
        as_of: Up to when touchpoints count, and time alone may still move customers.
    """
    document = await connection.fetchval(_DOCUMENT, version)
    observer = Observer(compile_model(stored_model(document)), as_of)
    of, done, after = await connection.fetchval(_COUNT), 0, UUID(int=0)
    while True:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            ids = [row["id"] for row in await connection.fetch(_NEXT, after, CHUNK)]
            await _watch(connection, observer, ids, as_of)
        if not ids:
            break
        after, done = ids[-1], done + len(ids)
        yield Watched(done, max(of, done))
    yield AllSeen(observer.end())


async def _watch(
    connection: asyncpg.Connection, observer: Observer, ids: list[UUID], as_of: Instant
) -> None:
    present = None
    async for customer_id, touchpoints in stretches(
        connection, _HISTORIES, ids, datetime_of(as_of)
    ):
        if present not in (None, customer_id):
            observer.end_customer()
        present = customer_id
        observer.take(touchpoints)
    if present is not None:
        observer.end_customer()
