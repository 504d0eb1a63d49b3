"""Customers: found by any of their names, with what every answer about one begins with."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from shared.errors import NotFound
from shared.identity.links import Pair
from shared.instants import Instant, instant_of
from shared.storage.watermark import WATERMARK
from shared.touchpoints import Identifier

_BY_IDENTIFIER: Final = "SELECT customer_id FROM identifiers WHERE kind = $2 AND value = $3"
_BY_ID: Final = (
    "SELECT customer_id FROM identifiers WHERE own_id = $2"
    " UNION SELECT customer_id FROM identifiers WHERE customer_id = $2"
)
_OF_WANTED: Final = (
    "SELECT customer_id FROM identifiers WHERE own_id = wanted.id"
    " UNION SELECT customer_id FROM identifiers WHERE customer_id = wanted.id"
    " UNION SELECT customer_id FROM identifiers"
    " WHERE identifiers.kind = wanted.kind AND identifiers.value = wanted.value"
)
_HEAD: Final = """
WITH found AS ({found})
SELECT found.customer_id,
       coalesce({carried}, (SELECT array_agg(id ORDER BY id) FROM identifiers own
                             WHERE own.customer_id = found.customer_id)) AS identifier_ids,
       ({watermark}) AS watermark,
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


def _head(found: str, carried: str = "NULL") -> str:
    """Return the statement that reads the head of whom *found* selects.

    Args:
        found: Selects ``customer_id``.
        carried: The row ids that take the place of the customer's own, unless they are NULL.
    """
    return _HEAD.format(found=found, carried=f"{carried}::bigint[]", watermark=WATERMARK)


_FIND_BY_IDENTIFIER: Final = _head(_BY_IDENTIFIER)
_FIND_BY_ID: Final = _head(_BY_ID)
HEAD_BY_IDENTIFIER: Final = _head(_BY_IDENTIFIER, "$4")
"""The head of a customer, by model, kind and value; identifiers that are handed in go first."""
HEAD_BY_ID: Final = _head(_BY_ID, "$3")
"""The head of a customer, by model and id; identifiers that are handed in go first."""
HEAD_OF_WANTED: Final = _head(_OF_WANTED)
"""The head of whom ``wanted``, a row of id, kind and value, names, by model."""
IDENTIFIERS: Final = """
SELECT kind, value, first_seen_at, last_seen_at FROM identifiers
 WHERE id = ANY($1::bigint[]) ORDER BY first_seen_at, kind, value
"""
"""An ``IdentifierRow`` of each, in the order of appearance."""


class IdentifierRow(NamedTuple):
    """An identifier, and when a touchpoint carried it first and last."""

    kind: str
    value: str
    first_seen_at: datetime
    last_seen_at: datetime


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
) -> list[IdentifierRow]:
    """Return the identifiers with those row ids, in the order of appearance."""
    return [IdentifierRow(*row) for row in await connection.fetch(IDENTIFIERS, identifier_ids)]
