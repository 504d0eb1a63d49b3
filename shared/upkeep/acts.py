"""Acts by hand: somebody links two identifiers, takes that back, or restores it.

Each act is one transaction: the link or bar, the customers and journeys that follow from it, what
has to be told, and the audit's row. An act that changes nothing leaves no trace.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID, uuid4

import asyncpg

from shared.errors import Fault, Invalid, NotFound
from shared.identity.links import Link, Pair, bars_between, pair_of
from shared.identity.policy import Policy
from shared.instants import Instant, datetime_of
from shared.sources import API_SOURCE
from shared.storage.audit import Act, record_act
from shared.storage.policies import hold_policy
from shared.touchpoints import Identifier, JsonObject, Place
from shared.upkeep.active_models import ActiveModels
from shared.upkeep.enrolment import Members, Seen, enrol
from shared.upkeep.grouping import Change, regroup
from shared.upkeep.links import news_in
from shared.upkeep.neighbourhoods import load_neighbourhood
from shared.upkeep.regrouping import refold_regrouped
from shared.upkeep.transactions import TransactionConflict, began_at

_PAIR: Final = """
SELECT a.kind AS a_kind, a.value AS a_value, b.kind AS b_kind, b.value AS b_value
  FROM links l JOIN identifiers a ON a.id = l.a_id JOIN identifiers b ON b.id = l.b_id
 WHERE l.id = $1
"""
_MEMBERS: Final = "SELECT kind, value FROM identifiers WHERE customer_id = $1"
_LINK: Final = """
INSERT INTO links (a_id, b_id, effective_at, source, event_id, recorded_at, reason, actor, id)
VALUES ($1, $2, $3, $4, $5, $3, $6, $7, $8)
"""
_BAR: Final = """
INSERT INTO bars (id, a_id, b_id, reason, actor, recorded_at)
SELECT id, a_id, b_id, $4, $5, $6
  FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS given (id, a_id, b_id)
ON CONFLICT (a_id, b_id) WHERE lifted_at IS NULL DO NOTHING
RETURNING id, a_id, b_id
"""
_LIFT: Final = """
UPDATE bars SET lifted_at = $3, lifted_reason = $4, lifted_by = $5
 WHERE a_id = $1 AND b_id = $2 AND lifted_at IS NULL
RETURNING id
"""


class Hand(NamedTuple):
    """Who acts (``key:ID``), and why, in their own words."""

    actor: str
    reason: str


class Done(NamedTuple):
    """What an act came to: whether it changed anything, the pair or pairs it was about."""

    changed: bool
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class _Bench:
    """One act's transaction, with everything locked that the act may change."""

    connection: asyncpg.Connection
    models: ActiveModels
    policy: Policy
    members: Members
    hand: Hand
    now: Instant

    def row_ids(self, pair: Pair) -> tuple[int, int]:
        return self.members.row_ids[pair[0]], self.members.row_ids[pair[1]]

    async def settle(self, pairs: Iterable[Pair], act: Act) -> None:
        """Let customers and journeys follow from what was stored, and write the audit's row."""
        said: JsonObject = {"action": act.action, "actor": act.actor, "reason": act.reason}
        cause: JsonObject = {"act": {**said, **act.details}}
        changes = [Change(pair, cause) for pair in sorted(pairs)]
        regrouped = await regroup(self.connection, changes, self.members, self.policy)
        models = await self.models.load(self.connection)
        await refold_regrouped(self.connection, regrouped.groups, models, now=self.now)
        await record_act(self.connection, act, at=self.now)


async def link_by_hand(
    connection: asyncpg.Connection, models: ActiveModels, pair: Pair, hand: Hand
) -> Done:
    """Link the two of *pair*, and lift the bar on it if there is one.

    Identifiers that were never seen are enrolled. A link that a guard refuses stays as a conflict.

    Args:
        connection: In a transaction.
        models: The stage models that journeys are kept for.
        pair: Normalised, in order.
        hand: Who does it.

    Raises:
        Invalid: One of them is a blocked value.
        TransactionConflict: Others were in the way; the same may succeed at once.
    """
    bench = await _bench(connection, models, pair, hand, enrolled=pair)
    _refuse_blocked(pair, bench.policy)
    lifted = await _lift(bench, pair)
    link_id = uuid4()
    link = Link.of(*pair, Place(bench.now, API_SOURCE.name, str(link_id)))
    is_new = bool(await news_in(connection, {pair: link}))
    if is_new:
        place = (datetime_of(link.at), link.source, link.event_id)
        await connection.execute(
            _LINK, *bench.row_ids(pair), *place, hand.reason, hand.actor, link_id
        )
    if not (is_new or lifted):
        return Done(changed=False, pairs=(pair,))
    details: JsonObject = {"link": str(link_id)} if is_new else {}
    if lifted:
        details["lifted"] = str(lifted)
    subject = f"link:{link_id}" if is_new else f"bar:{lifted}"
    await bench.settle([pair], Act(hand.actor, "identity.link", subject, hand.reason, details))
    return Done(changed=True, pairs=(pair,))


async def unlink_pair(
    connection: asyncpg.Connection, models: ActiveModels, link_id: UUID, hand: Hand
) -> Done:
    """Bar the pair of a link: every link between the two, past and future, is void.

    Raises:
        NotFound: There is no such link.
        TransactionConflict: Others were in the way; the same may succeed at once.
    """
    pair = await _pair_of(connection, link_id)
    bench = await _bench(connection, models, pair, hand)
    barred = await _bar(bench, [pair])
    if barred:
        details: JsonObject = {"link": str(link_id), "bars": [str(id_) for id_ in barred.values()]}
        act = Act(hand.actor, "identity.unlink", f"link:{link_id}", hand.reason, details)
        await bench.settle(barred, act)
    return Done(changed=bool(barred), pairs=(pair,))


async def relink_pair(
    connection: asyncpg.Connection, models: ActiveModels, link_id: UUID, hand: Hand
) -> Done:
    """Lift the bar on the pair of a link.

    Raises:
        NotFound: There is no such link.
        TransactionConflict: Others were in the way; the same may succeed at once.
    """
    pair = await _pair_of(connection, link_id)
    bench = await _bench(connection, models, pair, hand)
    lifted = await _lift(bench, pair)
    if lifted:
        details: JsonObject = {"link": str(link_id), "lifted": str(lifted)}
        act = Act(hand.actor, "identity.relink", f"link:{link_id}", hand.reason, details)
        await bench.settle([pair], act)
    return Done(changed=lifted is not None, pairs=(pair,))


async def unlink_identifier(
    connection: asyncpg.Connection,
    models: ActiveModels,
    customer_id: UUID,
    identifier: Identifier,
    hand: Hand,
) -> Done:
    """Take *identifier* out of a customer: bar its pairs with all others the customer has.

    Raises:
        Invalid: The customer does not have it, or has nothing else.
        TransactionConflict: Others were in the way; the same may succeed at once.
    """
    members = await _members_of(connection, customer_id)
    if identifier not in members:
        raise _wrong("identifier", "not_a_member", "must be one of the customer's identifiers")
    pairs = sorted(bars_between(identifier, members))
    if not pairs:
        raise _wrong("identifier", "only_one", "is all that the customer is known by")
    bench = await _bench(connection, models, members, hand)
    if any(bench.members.customers[member] != customer_id for member in members):
        raise TransactionConflict("the customer was regrouped meanwhile: try again")
    barred = await _bar(bench, pairs)
    if barred:
        details: JsonObject = {"bars": [str(id_) for id_ in barred.values()]}
        subject = f"customer:{customer_id}"
        act = Act(hand.actor, "identity.unlink_identifier", subject, hand.reason, details)
        await bench.settle(barred, act)
    return Done(changed=bool(barred), pairs=tuple(pairs))


async def _bench(
    connection: asyncpg.Connection,
    models: ActiveModels,
    seeds: Iterable[Identifier],
    hand: Hand,
    enrolled: Sequence[Identifier] = (),
) -> _Bench:
    """Lock all that a change at *seeds* may concern; *enrolled* get a row if they have none."""
    now = await began_at(connection)
    policy, _ = await hold_policy(connection)
    near = await load_neighbourhood(connection, seeds, policy)
    new = {each: Seen(now, now) for each in enrolled if each not in near.row_ids}
    members = await enrol(connection, new, near.row_ids, now=now)
    return _Bench(connection, models, policy, members, hand, now)


async def _pair_of(connection: asyncpg.Connection, link_id: UUID) -> Pair:
    row = await connection.fetchrow(_PAIR, link_id)
    if row is None:
        raise NotFound("no link has that id")
    return pair_of(
        Identifier(row["a_kind"], row["a_value"]), Identifier(row["b_kind"], row["b_value"])
    )


async def _members_of(connection: asyncpg.Connection, customer_id: UUID) -> set[Identifier]:
    rows = await connection.fetch(_MEMBERS, customer_id)
    return {Identifier(row["kind"], row["value"]) for row in rows}


async def _bar(bench: _Bench, pairs: Sequence[Pair]) -> Mapping[Pair, UUID]:
    """Bar those of *pairs* that are not barred yet, and return these with their bars' ids."""
    by_ids = {bench.row_ids(pair): pair for pair in pairs}
    columns = ([uuid4() for _ in by_ids], [a for a, _ in by_ids], [b for _, b in by_ids])
    said = (bench.hand.reason, bench.hand.actor, datetime_of(bench.now))
    rows = await bench.connection.fetch(_BAR, *columns, *said)
    return {by_ids[row["a_id"], row["b_id"]]: row["id"] for row in rows}


async def _lift(bench: _Bench, pair: Pair) -> UUID | None:
    """Lift the bar on *pair*, and return its id; None where there is none."""
    said = (datetime_of(bench.now), bench.hand.reason, bench.hand.actor)
    lifted: UUID | None = await bench.connection.fetchval(_LIFT, *bench.row_ids(pair), *said)
    return lifted


def _refuse_blocked(pair: Pair, policy: Policy) -> None:
    for identifier in pair:
        if policy.blocks(identifier):
            message = f"{identifier} is blocked by the identity policy and never links"
            raise Invalid(message, code="blocked_identifier")


def _wrong(path: str, code: str, message: str) -> Invalid:
    return Invalid(f"{path} {message}", code=code, faults=[Fault(path, code, message)])
