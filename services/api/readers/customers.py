"""Customers: found by any of their names, with what every answer about one begins with."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from shared.errors import NotFound
from shared.identity.links import Pair
from shared.instants import Instant, instant_of
from shared.touchpoints import Identifier

_BY_IDENTIFIER: Final = "SELECT customer_id FROM identifiers WHERE kind = $2 AND value = $3"
_BY_ID: Final = (
    "SELECT customer_id FROM identifiers WHERE own_id = $2"
    " UNION SELECT customer_id FROM identifiers WHERE customer_id = $2"
)
_HEAD: Final = """
WITH found AS ({found})
SELECT found.customer_id,
       coalesce({carried}, (SELECT array_agg(id ORDER BY id) FROM identifiers own
                             WHERE own.customer_id = found.customer_id)) AS identifier_ids,
       (SELECT CASE WHEN bool_and(read_through IS NOT NULL) THEN min(read_through) END
          FROM claims) AS watermark,
       clock_timestamp() AS read_at,
       customers.profile, customers.updated_at,
       models.id AS model_id, models.key AS model, models.version, models.revision
  FROM found
  LEFT JOIN customers ON customers.id = found.customer_id
  LEFT JOIN LATERAL (
       SELECT id, key, version, revision FROM models
        WHERE CASE WHEN $1::text IS NULL THEN is_default
                   ELSE version = $1 OR (key = $1 AND state = 'active') END
        ORDER BY version = $1 DESC LIMIT 1) models ON true
"""
_FIND_BY_IDENTIFIER: Final = _HEAD.format(found=_BY_IDENTIFIER, carried="NULL::bigint[]")
_FIND_BY_ID: Final = _HEAD.format(found=_BY_ID, carried="NULL::bigint[]")
HEAD_BY_IDENTIFIER: Final = _HEAD.format(found=_BY_IDENTIFIER, carried="$4::bigint[]")
"""The head of a customer, by model, kind and value; identifiers that are handed in go first."""
HEAD_BY_ID: Final = _HEAD.format(found=_BY_ID, carried="$3::bigint[]")
"""The head of a customer, by model and id; identifiers that are handed in go first."""
_IDENTIFIERS: Final = """
SELECT kind, value, first_seen_at, last_seen_at FROM identifiers
 WHERE id = ANY($1::bigint[]) ORDER BY first_seen_at, kind, value
"""


@dataclass(frozen=True, slots=True)
class ModelRow:
    """Which stage model an answer goes by; its wording may change by ``revision``."""

    id: int
    key: str
    version: str
    revision: int


@dataclass(frozen=True, slots=True)
class CustomerHead:
    """What every answer about a customer begins with.

    ``profile`` is the cached profile as JSON; None where nothing was stored yet.
    ``read_at`` is not earlier than any recorded time this transaction can see of the customer.
    ``refused`` are the pairs whose links a guard refused, where that is asked of a time gone by;
    None where it is as stored.
    """

    customer_id: UUID
    identifier_ids: tuple[int, ...]
    watermark: Instant | None
    read_at: Instant
    profile: str | None
    model: ModelRow
    refused: frozenset[Pair] | None = None


async def find_customer(
    connection: asyncpg.Connection, reference: Identifier | UUID, *, model: str | None = None
) -> CustomerHead:
    """Find the customer of *reference*, an identifier or any present or former customer id.

    Args:
        connection: In the transaction that reads the rest of the answer too.
        reference: Normalised as ingest does it.
        model: The key of an active model, or any version; None for the default model.

    Raises:
        NotFound: there is no such customer, or no such model.
    """
    if isinstance(reference, UUID):
        row = await connection.fetchrow(_FIND_BY_ID, model, reference)
    else:
        row = await connection.fetchrow(_FIND_BY_IDENTIFIER, model, *reference)
    return head_of(row, model)


def no_such_model(model: str | None) -> NotFound:
    """Return the error for *model*, a key or a version; None for the default."""
    if model is None:
        return NotFound("no stage model is active yet")
    return NotFound("no model has that version, and none that is active has that key")


def head_of(row: asyncpg.Record | None, model: str | None) -> CustomerHead:
    """Return the head that a row holds.

    Args:
        row: Of a statement that begins with a head; None if it found nobody.
        model: As it was asked for.

    Raises:
        NotFound: there is no such customer, or no such model.
    """
    if row is None:
        raise NotFound("no customer is known by that reference")
    if row["model_id"] is None:
        raise no_such_model(model)
    watermark, updated_at = row["watermark"], row["updated_at"]
    read_at = row["read_at"] if updated_at is None else max(row["read_at"], updated_at)
    return CustomerHead(
        customer_id=UUID(int=row["customer_id"].int),
        identifier_ids=tuple(row["identifier_ids"]),
        watermark=None if watermark is None else instant_of(watermark),
        read_at=instant_of(read_at),
        profile=row["profile"],
        model=ModelRow(row["model_id"], row["model"], row["version"], row["revision"]),
    )


async def read_identifiers(
    connection: asyncpg.Connection, identifier_ids: tuple[int, ...]
) -> list[asyncpg.Record]:
    """Return kind, value, first_seen_at and last_seen_at of each, in the order of appearance."""
    rows: list[asyncpg.Record] = await connection.fetch(_IDENTIFIERS, identifier_ids)
    return rows
