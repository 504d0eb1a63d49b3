"""Joining: new links as single steps on what is stored of the customers at their ends."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

import asyncpg

from shared.identity.customers import Known
from shared.identity.identifiers import identifier_id
from shared.identity.links import Link
from shared.identity.steps import Join, Steps, take_steps
from shared.storage.policies import PolicyInForce
from shared.touchpoints import Identifier, JsonObject
from shared.upkeep.components import known_customers, store_components
from shared.upkeep.enrolment import Members
from shared.upkeep.grouping import Change, Regroup, Regrouped, regroup
from shared.upkeep.links import barred_among, mark_refused
from shared.upkeep.neighbourhoods import NeighbourhoodGrew, load_neighbourhood

_MEMBERS: Final = "SELECT kind, value FROM identifiers WHERE customer_id = ANY($1)"
_HAND_OVER: Final = """
UPDATE identifiers i SET customer_id = given.heir
  FROM unnest($1::uuid[], $2::uuid[]) AS given (former, heir)
 WHERE i.customer_id = given.former
RETURNING i.kind, i.value, i.customer_id
"""
_WITH_HISTORY: Final = "SELECT id FROM customers WHERE id = ANY($1)"


async def find_concerned(
    connection: asyncpg.Connection, news: Sequence[Link], in_force: PolicyInForce
) -> frozenset[Identifier]:
    """Return the identifiers that *news* may hand from one customer to another.

    Only looks: nothing is locked, so that all of them can be locked in one order afterwards.
    """
    if not news:
        return frozenset()
    steps, _ = await _steps(connection, news, in_force, locked=False)
    if steps is None:
        ends = {end for link in news for end in link.pair}
        return frozenset((await load_neighbourhood(connection, ends, in_force.policy)).row_ids)
    rows = await connection.fetch(_MEMBERS, list(_heirs(steps.joins)))
    return frozenset(Identifier(row["kind"], row["value"]) for row in rows)


async def join_up(
    connection: asyncpg.Connection,
    news: Sequence[Link],
    members: Members,
    in_force: PolicyInForce,
) -> Regrouped:
    """Let customers grow by links that touchpoints made, and that were stored just now.

    Args:
        connection: In a transaction.
        news: Of each pair one.
        members: The identifiers that this transaction has locked.
        in_force: The guards of the fold.

    Raises:
        NeighbourhoodGrew: *members* are not all that is concerned; nothing may be committed.
    """
    steps, known = await _steps(connection, news, in_force, locked=True)
    if steps is None:
        changes = [Change(link.pair, _cause(link)) for link in sorted(news)]
        return await regroup(connection, changes, members, in_force.policy)
    if steps.refused:
        await mark_refused(connection, steps.refused, members.row_ids)
    heirs = _heirs(steps.joins)
    if not heirs:
        return Regrouped({}, ())
    rows = await connection.fetch(_HAND_OVER, list(heirs), list(heirs.values()))
    moved = {Identifier(row["kind"], row["value"]): row["customer_id"] for row in rows}
    if not moved.keys() <= members.row_ids.keys():
        raise NeighbourhoodGrew("identifiers were linked meanwhile: try again")
    await store_components(connection, [join.present for join in steps.joins], heirs)
    formers = [identifier_id(former) for join in steps.joins for former in join.formers]
    rows = await connection.fetch(_WITH_HISTORY, formers)
    with_history = {row["id"] for row in rows}
    groups = [_group(join, with_history, known, news) for join in steps.joins]
    return Regrouped(moved, tuple(group for group in groups if group.former - group.present))


async def _steps(
    connection: asyncpg.Connection, news: Sequence[Link], in_force: PolicyInForce, *, locked: bool
) -> tuple[Steps | None, Mapping[Identifier, Known]]:
    if not in_force.settled:
        return None, {}
    ends = {end for link in news for end in link.pair}
    known = await known_customers(connection, ends, locked=locked)
    bars = await barred_among(connection, [link.pair for link in news])
    return take_steps(news, known, bars, in_force.policy), known


def _heirs(joins: Iterable[Join]) -> dict[UUID, UUID]:
    """Return for each customer that is gone the one who has its identifiers now."""
    return {
        identifier_id(former): identifier_id(join.present.canonical)
        for join in joins
        for former in join.formers - {join.present.canonical}
    }


def _group(
    join: Join,
    with_history: Container[UUID],
    known: Mapping[Identifier, Known],
    news: Iterable[Link],
) -> Regroup:
    """Return *join* as a group of customers, without those that had no history."""
    present = identifier_id(join.present.canonical)
    formers = frozenset(map(identifier_id, join.formers))
    cause = min(link for link in news if known[link.a].canonical in join.formers)
    return Regroup(
        former=frozenset(former for former in formers if former in with_history),
        present=frozenset({present}),
        paths=frozenset((former, present) for former in formers),
        cause=_cause(cause),
    )


def _cause(made: Link) -> JsonObject:
    return {"touchpoint": {"source": made.source, "event_id": made.event_id}}
