"""The outbox: what has to be told to the outside, written in the transaction that causes it."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from shared.instants import Instant, datetime_of
from shared.touchpoints import JsonObject

_TELL: Final = """
INSERT INTO outbox (customer_id, type, data, created_at)
SELECT customer_id, type, data::json, $4
  FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY
    AS given (customer_id, type, data, place)
 ORDER BY place
"""
_encoder: Final = msgspec.json.Encoder()


async def tell(
    connection: asyncpg.Connection,
    messages: Sequence[tuple[UUID | None, str, JsonObject]],
    *,
    at: Instant,
) -> None:
    """Put *messages* (about whom, if anybody, type, data) into the outbox, in their order."""
    if messages:
        columns = (
            [customer_id for customer_id, _, _ in messages],
            [kind for _, kind, _ in messages],
            [_encoder.encode(data).decode() for _, _, data in messages],
        )
        await connection.execute(_TELL, *columns, datetime_of(at))
