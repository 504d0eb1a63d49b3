"""Linking: the links that touchpoints make, and the customers that follow from them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

import asyncpg

from services.classifier.identities import Growth, Members, Regroup, additions_of
from services.classifier.neighbourhoods import (
    Neighbourhood,
    is_news,
    known_places,
    load_neighbourhood,
)
from services.classifier.reading import Arrival
from shared.identity.components import resolve
from shared.identity.links import Link, Pair, links_of
from shared.identity.policy import Policy
from shared.instants import Instant, datetime_of
from shared.touchpoints import Identifier, JsonObject

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


def links_made(arrivals: Iterable[Arrival], policy: Policy) -> dict[Pair, Link]:
    """Return the links that *arrivals* make, of each pair the earliest."""
    earliest: dict[Pair, Link] = {}
    for arrival in arrivals:
        if len(arrival.identifiers) > 1 and arrival.record.data.links:
            for made in links_of(arrival.identifiers, arrival.touchpoint.place, policy):
                known = earliest.get(made.pair)
                if known is None or made < known:
                    earliest[made.pair] = made
    return earliest


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
        members: Their identifiers and all their neighbours, locked.
        policy: What may be linked.
        now: The batch's time.

    Raises:
        NeighbourhoodGrew: not all neighbours are locked; nothing may be committed.
    """
    changed = await _store(connection, links_made(arrivals, policy), members.row_ids, now)
    if not changed:
        return Growth(additions_of(arrivals, members.customers))
    seeds = {members.row_ids[end] for made in changed for end in made.pair}
    near = await load_neighbourhood(connection, seeds, frozenset(members.row_ids.values()))
    customers, regroups = await regroup(connection, near, policy, _cause(changed[0]))
    present = {**members.customers, **customers}
    again = {id_ for group in regroups for id_ in group.present}
    return Growth(additions_of(arrivals, present, again), regroups)


async def regroup(
    connection: asyncpg.Connection, near: Neighbourhood, policy: Policy, cause: JsonObject
) -> tuple[dict[Identifier, UUID], tuple[Regroup, ...]]:
    """Put *near* into the customers that its links give, and store what changed.

    Args:
        connection: In a transaction that has *near* locked.
        near: The whole neighbourhood of what changed.
        policy: The guards of the fold.
        cause: What made this necessary, as merges and splits tell it.

    Returns:
        The customer of every identifier, and the groups of customers whose history is no longer
        what it was.
    """
    resolution = resolve(near.links, near.bars, policy, alone=near.row_ids)
    customers = {
        identifier: customer.id
        for customer in resolution.customers
        for identifier in customer.identifiers
    }
    await _judge(connection, near, frozenset(link.pair for link in resolution.refused))
    moved = [i for i, present in customers.items() if near.customers[i] != present]
    if moved:
        ids = [near.row_ids[identifier] for identifier in moved]
        await connection.execute(_ASSIGN, ids, [customers[identifier] for identifier in moved])
    return customers, _regroups(near, customers, cause)


def _regroups(
    near: Neighbourhood, customers: Mapping[Identifier, UUID], cause: JsonObject
) -> tuple[Regroup, ...]:
    """Return the groups of customers that share identifiers, where history moved."""
    presents_of: dict[UUID, set[UUID]] = {}
    formers_of: dict[UUID, set[UUID]] = {}
    for identifier, now_in in customers.items():
        was_in = near.customers[identifier]
        presents_of.setdefault(was_in, set()).add(now_in)
        formers_of.setdefault(now_in, set()).add(was_in)
    left = {near.customers[i] for i, now_in in customers.items() if near.customers[i] != now_in}
    regroups = []
    seen: set[UUID] = set()
    for start in formers_of:
        if start not in seen:
            before, present = _connected(start, formers_of, presents_of)
            seen |= present
            with_history = before & near.with_history
            if left & with_history:
                paths = frozenset((f, p) for f in before for p in presents_of[f])
                regroups.append(Regroup(frozenset(with_history), frozenset(present), paths, cause))
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


async def _store(
    connection: asyncpg.Connection,
    made: Mapping[Pair, Link],
    row_ids: Mapping[Identifier, int],
    now: Instant,
) -> list[Link]:
    """Store links at a new or an earlier place and return them; count the others."""
    if not made:
        return []
    by_id = {(row_ids[a], row_ids[b]): link for (a, b), link in sorted(made.items())}
    known = await known_places(connection, by_id)
    new = {ids: made_ for ids, made_ in by_id.items() if is_news(made_, known.get(ids))}
    again = [ids for ids in by_id if ids not in new]
    if again:
        await connection.execute(_SEEN, [a for a, _ in again], [b for _, b in again])
    if new:
        rows_in = [(*ids, datetime_of(v.at), v.source, v.event_id) for ids, v in new.items()]
        columns = (list(column) for column in zip(*rows_in, strict=True))
        await connection.execute(_INSERT, *columns, datetime_of(now))
    return list(new.values())


async def _judge(
    connection: asyncpg.Connection, near: Neighbourhood, refused: frozenset[Pair]
) -> None:
    """Mark which pairs are refused now."""
    pairs = sorted({link.pair for link in near.links})
    if not pairs:
        return
    rows = [(near.row_ids[a], near.row_ids[b], (a, b) in refused) for a, b in pairs]
    await connection.execute(_REFUSE, *(list(column) for column in zip(*rows, strict=True)))


def _cause(made: Link) -> JsonObject:
    return {"touchpoint": {"source": made.source, "event_id": made.event_id}}
