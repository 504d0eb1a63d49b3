"""Grouping: the customers that links and bars give, stored where they are others than before."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from shared.identity.components import folded
from shared.identity.links import Pair
from shared.identity.policy import Policy
from shared.touchpoints import Identifier, JsonObject
from shared.upkeep.components import store_components
from shared.upkeep.enrolment import Members
from shared.upkeep.neighbourhoods import (
    NeighbourhoodGrew,
    StoredNeighbourhood,
    load_neighbourhood,
)

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
class Regroup:
    """Customers whose identifiers were put together anew.

    ``former`` are those that had a history; all of it belongs to the ``present`` ones now.
    ``paths`` tells for every identifier whose it was and whose it is. ``cause`` names what made
    this necessary, as merges and splits tell it.
    """

    former: frozenset[UUID]
    present: frozenset[UUID]
    paths: frozenset[tuple[UUID, UUID]]
    cause: JsonObject


class Change(NamedTuple):
    """Identifiers whose links or bars have changed, and what changed them."""

    ends: tuple[Identifier, ...]
    cause: JsonObject


class Regrouped(NamedTuple):
    """The customer of every identifier concerned, and the groups whose history has moved."""

    customers: Mapping[Identifier, UUID]
    groups: tuple[Regroup, ...]


async def regroup(
    connection: asyncpg.Connection, changes: Sequence[Change], members: Members, policy: Policy
) -> Regrouped:
    """Put all that *changes* concern into the customers that its links give; store what is new.

    Args:
        connection: In a transaction.
        changes: What was stored just now.
        members: The identifiers that this transaction has locked.
        policy: The guards of the fold.

    Raises:
        NeighbourhoodGrew: *members* are not all that is concerned; nothing may be committed.
    """
    near = await load_neighbourhood(
        connection, {end for change in changes for end in change.ends}, policy
    )
    if not near.row_ids.keys() <= members.row_ids.keys():
        raise NeighbourhoodGrew("identifiers were linked meanwhile: try again")
    components = folded(near.links, near.bars, policy, alone=near.row_ids)
    resolution = components.resolution()
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
    gone = {*near.customers.values()} - {*customers.values()}
    await store_components(connection, map(components.known, resolution.customers), gone)
    return Regrouped(customers, _regroups(near, customers, changes))


def _regroups(
    near: StoredNeighbourhood, customers: Mapping[Identifier, UUID], changes: Sequence[Change]
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
                cause = _cause_among(present, customers, changes)
                regroups.append(Regroup(frozenset(with_history), frozenset(present), paths, cause))
    return tuple(regroups)


def _cause_among(
    present: Container[UUID], customers: Mapping[Identifier, UUID], changes: Sequence[Change]
) -> JsonObject:
    """Return the first cause that is about one of these customers.

    What one change sets free may come together elsewhere: that has the first of all causes.
    """
    direct = (
        change.cause for change in changes if any(customers[end] in present for end in change.ends)
    )
    return next(direct, changes[0].cause)


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


async def _judge(
    connection: asyncpg.Connection, near: StoredNeighbourhood, refused: frozenset[Pair]
) -> None:
    """Mark which pairs are refused now; a void link is not."""
    judged = {
        (near.row_ids[link.a], near.row_ids[link.b]): link.pair in refused for link in near.links
    }
    judged.update(dict.fromkeys(near.void_pairs, False))
    rows = [(*ids, verdict) for ids, verdict in sorted(judged.items())]
    if rows:
        await connection.execute(_REFUSE, *(list(column) for column in zip(*rows, strict=True)))
