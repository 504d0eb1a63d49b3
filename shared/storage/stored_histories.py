"""Stored histories, read some touchpoints at a time.

A customer may have half a million of them. Read at once they would need gigabytes, keep the event
loop from everybody else and outlast the time that one statement may take; read from a cursor, each
step is a short statement of its own, and what was folded already can go.
"""

from collections.abc import AsyncIterator
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from shared.storage.rows import touchpoint_of
from shared.touchpoints import Touchpoint

ROWS_AT_ONCE: Final = 2_000
"""Touchpoints in one step: some tens of milliseconds of work for Python."""

_of_customer: Final = itemgetter("customer_id")


class Stretch(NamedTuple):
    """Touchpoints of one customer that follow each other in canonical order."""

    customer_id: UUID
    touchpoints: list[Touchpoint]


async def steps(
    connection: asyncpg.Connection, query: str, *arguments: object
) -> AsyncIterator[list[asyncpg.Record]]:
    """Read the rows that *query* gives, some at a time, in its order.

    Args:
        connection: In a transaction; it may be used for other statements between two steps.
        query: Gives its first rows soon.
        arguments: Of the query.
    """
    cursor = await connection.cursor(query, *arguments)
    while rows := await cursor.fetch(ROWS_AT_ONCE):
        yield rows


async def stretches(
    connection: asyncpg.Connection, query: str, *arguments: object
) -> AsyncIterator[Stretch]:
    """Read the touchpoints that *query* selects, some at a time.

    Args:
        connection: In a transaction; it may be used for other statements between two steps.
        query: Gives rows as ``touchpoint_of`` takes them with their ``customer_id``, the rows of
            each customer together and in canonical order.
        arguments: Of the query.
    """
    async for rows in steps(connection, query, *arguments):
        for customer_id, theirs in groupby(rows, key=_of_customer):
            yield Stretch(customer_id, [touchpoint_of(row) for row in theirs])
