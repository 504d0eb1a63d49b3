"""Linking: stored links to customers, through the neighbourhood that a new link can change."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from services.classifier.identities import Growth, Members, Regroup, additions_of
from services.classifier.reading import Arrival
from shared.identity.components import resolve
from shared.identity.identifiers import customer_id
from shared.identity.links import Link, Pair, links_of
from shared.identity.policy import Policy
from shared.instants import Instant, datetime_of, instant_of
from shared.touchpoints import Identifier, Place

_EARLIEST: Final = """
SELECT DISTINCT ON (a_id, b_id) a_id, b_id, effective_at, source, event_id
  FROM links JOIN unnest($1::bigint[], $2::bigint[]) AS wanted (a_id, b_id) USING (a_id, b_id)
 ORDER BY a_id, b_id, effective_at, source, event_id
"""
_INSERT: Final = """
INSERT INTO links (a_id, b_id, effective_at, source, event_id, recorded_at)
SELECT *, $6 FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[])
ON CONFLICT DO NOTHING
"""
_SEEN: Final = """
UPDATE links l SET seen = seen + 1
  FROM unnest($1::bigint[], $2::bigint[]) AS again (a_id, b_id)
 WHERE l.a_id = again.a_id AND l.b_id = again.b_id
"""
_REACH: Final = """
WITH RECURSIVE reach (id) AS (
    SELECT unnest($1::bigint[])
    UNION
    SELECT near.id FROM reach, LATERAL (
        SELECT b_id AS id FROM links WHERE a_id = reach.id
        UNION ALL
        SELECT a_id FROM links WHERE b_id = reach.id) AS near
)
SELECT id FROM reach ORDER BY id
"""
_LOCK: Final = """
SELECT i.id, i.kind, i.value, i.customer_id, c.id IS NOT NULL AS has_history
  FROM identifiers i LEFT JOIN customers c ON c.id = i.customer_id
 WHERE i.id = ANY($1)
 ORDER BY i.id
   FOR UPDATE OF i
"""
_LINKS: Final = """
SELECT DISTINCT ON (a_id, b_id) a_id, b_id, effective_at, source, event_id, refused
  FROM links WHERE a_id = ANY($1)
 ORDER BY a_id, b_id, effective_at, source, event_id
"""
_BARS: Final = "SELECT a_id, b_id FROM bars WHERE a_id = ANY($1) AND lifted_at IS NULL"
_REFUSE: Final = """
UPDATE links l SET refused = judged.refused
  FROM unnest($1::bigint[], $2::bigint[], $3::boolean[]) AS judged (a_id, b_id, refused)
 WHERE l.a_id = judged.a_id AND l.b_id = judged.b_id AND l.refused <> judged.refused
"""
_ASSIGN: Final = """
UPDATE identifiers i SET customer_id = given.customer_id
  FROM unnest($1::bigint[], $2::uuid[]) AS given (id, customer_id)
 WHERE i.id = given.id
"""


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Identifiers that any links connect, with all that decides how they are grouped."""

    row_ids: Mapping[Identifier, int]
    customers: Mapping[Identifier, UUID]
    with_history: frozenset[UUID]
    links: Sequence[Link]
    bars: frozenset[Pair]


async def link(
    connection: asyncpg.Connection,
    arrivals: Sequence[Arrival],
    members: Members,
    policy: Policy,
    *,
    now: Instant,
) -> Growth:
    """Store the links that *arrivals* make, regroup the customers they change.

    Args:
        connection: In the batch's transaction.
        arrivals: Touchpoints that were stored just now.
        members: Their identifiers, locked.
        policy: What may be linked.
        now: The batch's time.
    """
    earliest = _earliest_links(arrivals, policy)
    changed = await _store(connection, earliest, members.row_ids, now)
    if not changed:
        return Growth(additions_of(arrivals, members.customers))
    seeds = {members.row_ids[end] for pair in changed for end in pair}
    near = await load_neighbourhood(connection, seeds)
    customers, regroups = await regroup(connection, near, policy)
    present = {**members.customers, **customers}
    again = {id_ for group in regroups for id_ in group.present}
    return Growth(additions_of(arrivals, present, again), regroups)


async def load_neighbourhood(connection: asyncpg.Connection, seeds: Iterable[int]) -> Neighbourhood:
    """Lock and load everything that links connect with the identifiers *seeds*."""
    reached: list[int] = sorted(seeds)
    while True:
        rows = await connection.fetch(_LOCK, reached)
        wider = [row["id"] for row in await connection.fetch(_REACH, reached)]
        if wider == reached:
            break
        reached = wider
    named = {row["id"]: Identifier(row["kind"], row["value"]) for row in rows}
    links = [
        Link(
            named[row["a_id"]],
            named[row["b_id"]],
            instant_of(row["effective_at"]),
            row["source"],
            row["event_id"],
        )
        for row in await connection.fetch(_LINKS, reached)
    ]
    bars = await connection.fetch(_BARS, reached)
    return Neighbourhood(
        row_ids={identifier: id_ for id_, identifier in named.items()},
        customers={named[row["id"]]: row["customer_id"] for row in rows},
        with_history=frozenset(row["customer_id"] for row in rows if row["has_history"]),
        links=links,
        bars=frozenset(Pair(named[bar["a_id"]], named[bar["b_id"]]) for bar in bars),
    )


async def regroup(
    connection: asyncpg.Connection, near: Neighbourhood, policy: Policy
) -> tuple[dict[Identifier, UUID], tuple[Regroup, ...]]:
    """Put *near* into the customers that its links give, and store what changed.

    Returns:
        The customer of every identifier, and the groups of customers whose history is no longer
        what it was.
    """
    resolution = resolve(near.links, near.bars, policy)
    customers = {identifier: customer_id([identifier], policy) for identifier in near.row_ids}
    for component in resolution.components:
        present = customer_id(component, policy)
        customers.update(dict.fromkeys(component, present))
    await _judge(connection, near, frozenset(link.pair for link in resolution.refused))
    moved = [i for i, present in customers.items() if near.customers[i] != present]
    if moved:
        ids = [near.row_ids[identifier] for identifier in moved]
        await connection.execute(_ASSIGN, ids, [customers[identifier] for identifier in moved])
    return customers, _regroups(near, customers)


def _regroups(near: Neighbourhood, customers: Mapping[Identifier, UUID]) -> tuple[Regroup, ...]:
    """Return the groups of customers that share identifiers, where history moved."""
    presents_of: dict[UUID, set[UUID]] = {}
    formers_of: dict[UUID, set[UUID]] = {}
    for identifier, present in customers.items():
        former = near.customers[identifier]
        presents_of.setdefault(former, set()).add(present)
        formers_of.setdefault(present, set()).add(former)
    regroups = []
    seen: set[UUID] = set()
    for start in formers_of:
        if start not in seen:
            former, present = _connected(start, formers_of, presents_of)
            seen |= present
            with_history = former & near.with_history
            if with_history and with_history != present:
                regroups.append(Regroup(frozenset(with_history), frozenset(present)))
    return tuple(regroups)


def _connected(
    start: UUID, formers_of: Mapping[UUID, set[UUID]], presents_of: Mapping[UUID, set[UUID]]
) -> tuple[set[UUID], set[UUID]]:
    """Return all former and all present customers that *start* shares identifiers with."""
    former: set[UUID] = set()
    present = {start}
    waiting = [start]
    while waiting:
        for before in formers_of[waiting.pop()] - former:
            former.add(before)
            new = presents_of[before] - present
            present |= new
            waiting.extend(new)
    return former, present


def _earliest_links(arrivals: Sequence[Arrival], policy: Policy) -> dict[Pair, Link]:
    earliest: dict[Pair, Link] = {}
    for arrival in arrivals:
        if len(arrival.identifiers) == 1 or not arrival.record.data.links:
            continue
        for made in links_of(arrival.identifiers, arrival.touchpoint.place, policy):
            known = earliest.get(made.pair)
            if known is None or made.place < known.place:
                earliest[made.pair] = made
    return earliest


async def _store(
    connection: asyncpg.Connection,
    made: Mapping[Pair, Link],
    row_ids: Mapping[Identifier, int],
    now: Instant,
) -> list[Pair]:
    """Store links at a new or an earlier place, count the others; return the changed pairs."""
    if not made:
        return []
    by_id = {(row_ids[pair.a], row_ids[pair.b]): link for pair, link in sorted(made.items())}
    ends = ([a for a, _ in by_id], [b for _, b in by_id])
    rows = await connection.fetch(_EARLIEST, *ends)
    known = {
        (row["a_id"], row["b_id"]): Place(
            instant_of(row["effective_at"]), row["source"], row["event_id"]
        )
        for row in rows
    }
    new = {ids: link for ids, link in by_id.items() if ids not in known or link.place < known[ids]}
    again = [ids for ids in by_id if ids not in new]
    if again:
        await connection.execute(_SEEN, [a for a, _ in again], [b for _, b in again])
    if new:
        rows_in = [(*ids, datetime_of(v.at), v.source, v.event_id) for ids, v in new.items()]
        columns = (list(column) for column in zip(*rows_in, strict=True))
        await connection.execute(_INSERT, *columns, datetime_of(now))
    return [link.pair for link in new.values()]


async def _judge(
    connection: asyncpg.Connection, near: Neighbourhood, refused: frozenset[Pair]
) -> None:
    """Mark which pairs are refused now."""
    pairs = {link.pair for link in near.links}
    if not pairs:
        return
    rows = [(near.row_ids[p.a], near.row_ids[p.b], p in refused) for p in sorted(pairs)]
    await connection.execute(_REFUSE, *(list(column) for column in zip(*rows, strict=True)))
