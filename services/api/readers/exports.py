"""Exports: everything that is held about one customer, table by table."""

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

import asyncpg

from services.api.readers.touchpoints import SELECT_SHOWN

_OWN_IDS: Final = "SELECT own_id FROM identifiers WHERE id = ANY($1::bigint[])"
_TOUCHPOINTS: Final = f"""{SELECT_SHOWN}
  FROM touchpoints JOIN claims ON claims.id = claim_id
 WHERE identifier_id = ANY($1::bigint[])
 ORDER BY effective_at, source, event_id
"""
_TRANSITIONS: Final = """
SELECT t.id, t.n, t.at, t.decided_at, t.superseded_at, t.axis, t.kind, t.from_key, t.to_key,
       t.cycle, t.rule, t.cause, models.key AS model, models.version
  FROM transitions t JOIN models ON models.id = t.model_id
 WHERE t.customer_id = ANY($1::uuid[])
 ORDER BY models.key, models.version, t.at, t.id, t.n
"""
_JOURNEYS: Final = """
SELECT models.key AS model, models.version, j.stage, j.activity, j.cycle, j.peak_stage,
       j.stage_since, j.next_at, j.updated_at
  FROM journeys j JOIN models ON models.id = j.model_id
 WHERE j.customer_id = ANY($1::uuid[]) ORDER BY models.key, models.version
"""
_DUPLICATES: Final = """
SELECT d.source, d.event_id, d.seen, d.conflicts, d.last_seen_at, d.last_conflict
  FROM duplicates d JOIN touchpoints t USING (source, event_id)
 WHERE t.identifier_id = ANY($1::bigint[]) ORDER BY d.source, d.event_id
"""
_QUARANTINE: Final = """
SELECT q.id, q.reason, q.message, q.source, q.event_id, q.received_at, q.recorded_at, q.status,
       q.errors, q.raw, q.raw_length, q.raw_sha256, q.format, q.item, q.settled_at,
       q.settled_reason, q.redriven_event_id, q.log_offset, claims.topic, claims.partition
  FROM quarantine q LEFT JOIN claims ON claims.id = q.claim_id
 WHERE q.id = ANY($1::uuid[])
    OR EXISTS (SELECT FROM touchpoints t
                WHERE t.identifier_id = ANY($2::bigint[]) AND t.source = q.source
                  AND t.event_id IN (q.event_id, q.redriven_event_id))
 ORDER BY q.received_at, q.id
"""
_DELIVERIES: Final = """
SELECT webhooks.url, d.type, d.status, d.attempts, d.response_status, d.created_at
  FROM deliveries d JOIN webhooks ON webhooks.id = d.webhook_id
 WHERE d.customer_id = ANY($1::uuid[]) ORDER BY d.id
"""
_MESSAGES: Final = """
SELECT type, data, created_at FROM outbox WHERE customer_id = ANY($1::uuid[]) ORDER BY id
"""

_DIFFS: Final = """
SELECT models.version, against.version AS against, diffs.as_of, d.document
  FROM diff_customers d JOIN diffs ON diffs.id = d.diff_id
  JOIN models ON models.id = diffs.model_id JOIN models against ON against.id = diffs.against_id
 WHERE d.customer_id = ANY($1::uuid[]) ORDER BY diffs.id, d.customer_id
"""


class ExportRows:
    """The rows of one customer; each method reads one table.

    Args:
        connection: In the transaction that the whole export is read in.
        customer_id: The customer.
        identifier_ids: Row ids of all its identifiers.
    """

    def __init__(
        self, connection: asyncpg.Connection, customer_id: UUID, identifier_ids: Sequence[int]
    ) -> None:
        self._connection = connection
        self._customer_id = customer_id
        self._identifier_ids = identifier_ids

    async def touchpoints(self) -> list[asyncpg.Record]:
        """Return all touchpoints in canonical order."""
        return await self._rows(_TOUCHPOINTS, self._identifier_ids)

    async def transitions(self) -> list[asyncpg.Record]:
        """Return all transitions, those that were taken back too."""
        return await self._rows(_TRANSITIONS, await self._customer_ids())

    async def journeys(self) -> list[asyncpg.Record]:
        """Return the cached journeys under all models."""
        return await self._rows(_JOURNEYS, await self._customer_ids())

    async def duplicates(self) -> list[asyncpg.Record]:
        """Return what came again, with the last content that differed."""
        return await self._rows(_DUPLICATES, self._identifier_ids)

    async def quarantine(self, items: Collection[UUID]) -> list[asyncpg.Record]:
        """Return the refused *items*, and those that touchpoints were repaired from."""
        return await self._rows(_QUARANTINE, items, self._identifier_ids)

    async def messages(self) -> list[asyncpg.Record]:
        """Return what was, or is to be, told of the customer to the outside."""
        return await self._rows(_MESSAGES, await self._customer_ids())

    async def deliveries(self) -> list[asyncpg.Record]:
        """Return which messages about the customer went, or are to go, to which webhooks."""
        return await self._rows(_DELIVERIES, await self._customer_ids())

    async def diffs(self) -> list[asyncpg.Record]:
        """Return what versions of models would make different, as far as diffs are still kept."""
        return await self._rows(_DIFFS, await self._customer_ids())

    async def _customer_ids(self) -> list[UUID]:
        rows = await self._connection.fetch(_OWN_IDS, self._identifier_ids)
        return list({self._customer_id, *(row["own_id"] for row in rows)})

    async def _rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self._connection.fetch(query, *arguments)
        return rows
