"""The demo: whom the front page may name, because they are nobody."""

from typing import Final

import asyncpg

from shared.demo import CHANNELS

_CUSTOMER: Final = """
SELECT i.kind || ':' || i.value
  FROM touchpoints t JOIN identifiers i ON i.id = t.identifier_id
 WHERE t.source = ANY($1)
 ORDER BY t.source, t.event_id
 LIMIT 1
"""


async def find_demo_customer(connection: asyncpg.Connection) -> str | None:
    """Return ``kind:value`` of a customer of the bundled demo; None if it was not played."""
    customer: str | None = await connection.fetchval(_CUSTOMER, tuple(CHANNELS))
    return customer
