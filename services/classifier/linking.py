"""Linking: the links that touchpoints make, and the customers that follow from them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import asyncpg

from services.classifier.identities import Growth, Members, additions_of
from services.classifier.reading import Arrival
from shared.identity.links import Link, Pair, links_of
from shared.identity.policy import Policy
from shared.instants import Instant, datetime_of
from shared.touchpoints import Identifier, JsonObject
from shared.upkeep.grouping import regroup
from shared.upkeep.neighbourhoods import is_news, known_places, load_neighbourhood

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


def _cause(made: Link) -> JsonObject:
    return {"touchpoint": {"source": made.source, "event_id": made.event_id}}
