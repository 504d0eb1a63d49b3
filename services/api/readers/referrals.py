"""Referrals: who sent a customer, and whom the customer sent, along the chain both ways.

Of everybody the first referral counts, by its place in canonical order. So the chain upwards is a
line, the chain downwards a tree, and the one is the other seen from its end. People whose data was
erased are stubs: nothing is known of them, but the chain goes through them.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

MOST_DEEP: Final = 20
MOST_REFERRALS: Final = 500
"""Of one customer, over all depths."""

_FIRST: Final = """
SELECT DISTINCT ON (edge.node) edge.node, edge.referee_id IS NULL AS node_erased,
       coalesce(referrer.customer_id, edge.referrer_stub) AS referrer,
       edge.referrer_stub IS NOT NULL AS referrer_erased,
       edge.referrer_kind, edge.referrer_value, edge.at, edge.source, edge.event_id
  FROM (SELECT own.customer_id AS node, r.*
          FROM identifiers own JOIN referrals r ON r.referee_id = own.id
         WHERE own.customer_id = ANY($1::uuid[])
        UNION ALL
        SELECT r.referee_stub, r.* FROM referrals r WHERE r.referee_stub = ANY($1::uuid[])) edge
  LEFT JOIN identifiers referrer
    ON referrer.kind = edge.referrer_kind AND referrer.value = edge.referrer_value
 WHERE coalesce(referrer.customer_id, edge.referrer_stub) IS DISTINCT FROM edge.node
 ORDER BY edge.node, edge.at, edge.source NULLS FIRST, edge.event_id, edge.id
"""
_SENT: Final = """
SELECT DISTINCT coalesce(referee.customer_id, edge.referee_stub) AS node
  FROM (SELECT r.* FROM identifiers own
          JOIN referrals r ON r.referrer_kind = own.kind AND r.referrer_value = own.value
         WHERE own.customer_id = ANY($1::uuid[])
        UNION ALL
        SELECT r.* FROM referrals r WHERE r.referrer_stub = ANY($1::uuid[])) edge
  LEFT JOIN identifiers referee ON referee.id = edge.referee_id
 LIMIT $2
"""


async def read_referrers(connection: asyncpg.Connection, customer_id: UUID) -> list[asyncpg.Record]:
    """Return the referral of *customer_id*, then that of the referrer, and so on upwards."""
    chain: list[asyncpg.Record] = []
    met, node = {customer_id}, customer_id
    while len(chain) < MOST_DEEP:
        rows = await _first_referrals(connection, [node])
        if not rows:
            break
        chain += rows
        node = rows[0]["referrer"]
        if node is None or node in met:
            break
        met.add(node)
    return chain


async def read_referrals(
    connection: asyncpg.Connection, customer_id: UUID
) -> list[tuple[int, asyncpg.Record]]:
    """Return the referrals that *customer_id* made, each with its depth, the nearest first.

    They are MOST_REFERRALS and MOST_DEEP deep at most.
    """
    found: list[tuple[int, asyncpg.Record]] = []
    met, level = {customer_id}, [customer_id]
    for depth in range(1, MOST_DEEP + 1):
        room = MOST_REFERRALS - len(found)
        sent = [row["node"] for row in await connection.fetch(_SENT, level, room + len(met))]
        rows = await _first_referrals(connection, [node for node in sent if node not in met])
        parents = set(level)
        rows = sorted((row for row in rows if row["referrer"] in parents), key=_order)[:room]
        if not rows:
            break
        found += [(depth, row) for row in rows]
        level = [row["node"] for row in rows]
        met.update(level)
    return found


async def _first_referrals(
    connection: asyncpg.Connection, nodes: Sequence[UUID]
) -> list[asyncpg.Record]:
    """Return of each of *nodes* that somebody else referred the first referral."""
    rows: list[asyncpg.Record] = await connection.fetch(_FIRST, nodes) if nodes else []
    return rows


def _order(row: asyncpg.Record) -> tuple[datetime, str, str]:
    return row["at"], row["source"] or "", row["event_id"] or ""
