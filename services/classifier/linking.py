"""Linking: the links that touchpoints make, and the customers that follow from them."""

from collections.abc import Iterable, Mapping, Sequence

import asyncpg

from services.classifier.identities import Growth, additions_of
from services.classifier.reading import Arrival
from shared.identity.links import Link, Pair, links_of
from shared.identity.policy import Policy
from shared.instants import Instant
from shared.storage.policies import PolicyInForce
from shared.touchpoints import Identifier
from shared.upkeep.enrolment import Members
from shared.upkeep.joining import find_concerned, join_up
from shared.upkeep.links import news_in, store_links


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


async def find_neighbours(
    connection: asyncpg.Connection, made: Mapping[Pair, Link], in_force: PolicyInForce
) -> frozenset[Identifier]:
    """Return all identifiers that links *made* may hand from one customer to another."""
    return await find_concerned(connection, await news_in(connection, made), in_force)


async def link(
    connection: asyncpg.Connection,
    arrivals: Sequence[Arrival],
    members: Members,
    in_force: PolicyInForce,
    *,
    now: Instant,
) -> Growth:
    """Store the links that *arrivals* make, regroup the customers they change.

    Args:
        connection: In the batch's transaction.
        arrivals: Touchpoints that were stored just now.
        members: Their identifiers and all their neighbours, locked.
        in_force: What may be linked.
        now: The batch's time.

    Raises:
        NeighbourhoodGrew: not all neighbours are locked; nothing may be committed.
    """
    made = links_made(arrivals, in_force.policy)
    news = await store_links(connection, made, members.row_ids, now=now)
    if not news:
        return Growth(additions_of(arrivals, members.customers))
    regrouped = await join_up(connection, news, members, in_force)
    present = {**members.customers, **regrouped.customers}
    again = {id_ for group in regrouped.groups for id_ in group.present}
    return Growth(additions_of(arrivals, present, again), regrouped.groups)
