"""Shared identifiers: those that guards keep from joining many people, such as a kiosk's."""

from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from shared.touchpoints import Identifier

_SHARED: Final = """
WITH refused AS (SELECT DISTINCT a_id, b_id FROM links WHERE refused),
     counted AS (
       SELECT id, count(*) AS times
         FROM (SELECT a_id AS id FROM refused UNION ALL SELECT b_id FROM refused) ends
        GROUP BY id HAVING count(*) > $1)
SELECT i.kind, i.value, i.customer_id, counted.times
  FROM counted JOIN identifiers i USING (id)
 ORDER BY counted.times DESC, i.kind, i.value
 LIMIT $2
"""
_COUNT: Final = """
WITH refused AS (SELECT DISTINCT a_id, b_id FROM links WHERE refused)
SELECT count(*) FROM (
    SELECT FROM (SELECT a_id AS id FROM refused UNION ALL SELECT b_id FROM refused) ends
     GROUP BY id HAVING count(*) > $1) shared
"""


class SharedIdentifier(NamedTuple):
    """An identifier, whose it is, and how many of its links a guard refuses."""

    identifier: Identifier
    customer_id: UUID
    refused: int


async def list_shared(
    connection: asyncpg.Connection, *, above: int, most: int
) -> list[SharedIdentifier]:
    """Return the identifiers with more than *above* refused links, those with most first."""
    rows = await connection.fetch(_SHARED, above, most)
    return [
        SharedIdentifier(
            Identifier(row["kind"], row["value"]), UUID(int=row["customer_id"].int), row["times"]
        )
        for row in rows
    ]


async def count_shared(connection: asyncpg.Connection, *, above: int) -> int:
    """Return how many identifiers have more than *above* refused links."""
    counted: int = await connection.fetchval(_COUNT, above)
    return counted
