"""Regrouping: the journeys of customers who turned out to be one, or more than one.

Histories are compared without the customer's id: a move that stays the same is re-keyed silently
(a login must not tell an anonymous history again), only real differences are restated.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid5

import asyncpg

from shared.instants import Instant, rfc3339
from shared.journey.fold import FoldState
from shared.journey.moves import Move, transition_id
from shared.profiles import profile_of
from shared.touchpoints import JsonObject, JsonValue, Touchpoint
from shared.upkeep.active_models import ActiveModel
from shared.upkeep.customers import lock_profiles, save_profiles
from shared.upkeep.following import Followed, Published, Restatement
from shared.upkeep.grouping import Regroup
from shared.upkeep.journeys import (
    BEFORE_ALL,
    JourneyKey,
    journey_row,
    load_histories,
    load_published,
    lock_journeys,
    save_journeys,
)
from shared.upkeep.outbox import tell
from shared.upkeep.refolding import fold_history
from shared.upkeep.snapshots import Snapshot, drop_all_snapshots, keep_snapshots
from shared.upkeep.transitions import Change, Rekey, publish, rekey

_MESSAGES: Final = UUID("3f4a7c52-7c0f-5a44-8a51-2f0f6a3b7d19")
"""Name space of the ids of what is told about merges and splits."""

_HEIRS: Final = "SELECT own_id, customer_id FROM identifiers WHERE own_id = ANY($1)"
_FORGET: Final = (
    "DELETE FROM journeys WHERE customer_id = ANY($1)",
    "DELETE FROM customers WHERE id = ANY($1)",
)
_INHERIT: Final = """
UPDATE transitions t
   SET customer_id = gone.heir,
       told_id = coalesce(t.told_id, t.id), told_n = coalesce(t.told_n, t.n),
       n = t.n + coalesce((SELECT max(h.n) FROM transitions h
                            WHERE h.customer_id = gone.heir AND h.model_id = t.model_id
                              AND h.id = t.id), 0)
  FROM unnest($1::uuid[], $2::uuid[]) AS gone (id, heir)
 WHERE t.customer_id = gone.id
"""


@dataclass(slots=True)
class _Pool:
    """The published transitions of the former customers of one model, waiting for an owner."""

    standing: list[tuple[UUID, Published]] = field(default_factory=list)

    def take(self, move: Move, preferred: UUID) -> tuple[UUID, Published] | None:
        """Take out the transition that says *move*, the one of *preferred* first."""
        same = [entry for entry in self.standing if entry[1].move == move]
        if not same:
            return None
        chosen = next((entry for entry in same if entry[0] == preferred), same[0])
        self.standing.remove(chosen)
        return chosen


@dataclass(frozen=True, slots=True)
class _Before:
    """What is stored: states and transitions of everyone, histories of those there are now."""

    states: Mapping[JourneyKey, FoldState]
    published: Mapping[JourneyKey, list[Published]]
    histories: Mapping[UUID, list[Touchpoint]]


@dataclass(slots=True)
class _Outcome:
    """What has to be written, for all groups together."""

    followed: dict[JourneyKey, Followed] = field(default_factory=dict)
    snapshots: list[Snapshot] = field(default_factory=list)
    taken_back: list[Change] = field(default_factory=list)
    rekeyed: list[Rekey] = field(default_factory=list)
    said: list[Change] = field(default_factory=list)


async def refold_regrouped(
    connection: asyncpg.Connection,
    regroups: Sequence[Regroup],
    models: Mapping[int, ActiveModel],
    *,
    now: Instant,
) -> None:
    """Fold every regrouped customer anew, and tell what became of the former ones.

    Args:
        connection: In a transaction that has the identifiers of all of them locked.
        regroups: Groups that share no customer.
        models: The active models by row id.
        now: When these decisions are made.
    """
    if not regroups:
        return
    before = await _load(connection, regroups, models)
    after = _Outcome()
    for regroup in regroups:
        for model_id, model in models.items():
            await _refold(regroup, model_id, model, before, after)
    await publish(connection, after.taken_back, decided_at=now)
    await rekey(connection, after.rekeyed)
    heirs = await _heirs(connection, regroups)
    await _forget(connection, heirs)
    await _save(connection, before.histories, after, now)
    await publish(connection, after.said, decided_at=now)
    messages = [
        message
        for regroup in regroups
        for message in _messages(regroup, heirs, before.histories.keys(), rfc3339(now))
    ]
    await tell(connection, messages, at=now)


async def _load(
    connection: asyncpg.Connection, regroups: Sequence[Regroup], models: Mapping[int, ActiveModel]
) -> _Before:
    everyone = sorted({id_ for group in regroups for id_ in group.former | group.present})
    present = {id_ for group in regroups for id_ in group.present}
    await lock_profiles(connection, everyone)
    states = await lock_journeys(connection, everyone, models)
    await drop_all_snapshots(connection, everyone)
    keys = [JourneyKey(id_, model_id) for id_ in everyone for model_id in models]
    return _Before(
        states,
        await load_published(connection, dict.fromkeys(keys, BEFORE_ALL)),
        await load_histories(connection, dict.fromkeys(present, BEFORE_ALL)),
    )


async def _refold(
    regroup: Regroup, model_id: int, model: ActiveModel, before: _Before, after: _Outcome
) -> None:
    everyone = sorted(regroup.former | regroup.present)
    keys = [JourneyKey(id_, model_id) for id_ in everyone]
    settled_at = max(
        (before.states[k].settled_at for k in keys if k in before.states), default=None
    )
    pool = _Pool([(k.customer_id, p) for k in keys for p in before.published.get(k, ())])
    for customer_id in sorted(regroup.present & before.histories.keys()):
        key = JourneyKey(customer_id, model_id)
        history = before.histories[customer_id]
        done, kept = await fold_history(model.program, history, settled_at)
        after.followed[key] = done
        after.snapshots += [Snapshot(key, state, lasting=True) for state in kept]
        said, rekeyed = _restated(key, model, done.moves, pool)
        after.said.append(said)
        after.rekeyed += rekeyed
    after.taken_back += _taken_back(pool, model_id, model)


def _restated(
    key: JourneyKey, model: ActiveModel, moves: Sequence[Move], pool: _Pool
) -> tuple[Change, list[Rekey]]:
    asserted: list[tuple[str, Move]] = []
    rekeys: list[Rekey] = []
    for move in moves:
        id_ = transition_id(model.version, str(key.customer_id), move)
        known = pool.take(move, key.customer_id)
        if known is None:
            asserted.append((id_, move))
        elif known[0] != key.customer_id:
            former, entry = known
            rekeys.append(Rekey(JourneyKey(former, key.model_id), entry, key.customer_id, id_))
    return Change(key, model, Restatement((), tuple(asserted))), rekeys


def _taken_back(pool: _Pool, model_id: int, model: ActiveModel) -> list[Change]:
    gone: dict[UUID, list[Published]] = {}
    for customer_id, entry in pool.standing:
        gone.setdefault(customer_id, []).append(entry)
    return [
        Change(JourneyKey(customer_id, model_id), model, Restatement(tuple(entries), ()))
        for customer_id, entries in sorted(gone.items())
    ]


async def _heirs(connection: asyncpg.Connection, regroups: Sequence[Regroup]) -> dict[UUID, UUID]:
    """Return for each customer that is gone the one who has its own identifier now."""
    gone = sorted({id_ for group in regroups for id_ in group.former - group.present})
    rows = await connection.fetch(_HEIRS, gone)
    return {row["own_id"]: row["customer_id"] for row in rows}


async def _forget(connection: asyncpg.Connection, heirs: Mapping[UUID, UUID]) -> None:
    """Let the heirs of customers that are gone have what was superseded, drop their caches."""
    if heirs:
        await connection.execute(_INHERIT, list(heirs), list(heirs.values()))
        for statement in _FORGET:
            await connection.execute(statement, list(heirs))


async def _save(
    connection: asyncpg.Connection,
    histories: Mapping[UUID, list[Touchpoint]],
    after: _Outcome,
    now: Instant,
) -> None:
    profiles = {id_: profile_of(history) for id_, history in histories.items()}
    await save_profiles(connection, {i: p for i, p in profiles.items() if p}, now=now)
    rows = {key: journey_row(done) for key, done in after.followed.items()}
    await save_journeys(connection, rows, now=now)
    await keep_snapshots(connection, after.snapshots)


def _messages(
    regroup: Regroup, heirs: Mapping[UUID, UUID], histories: Collection[UUID], at: str
) -> Iterator[tuple[UUID, str, JsonObject]]:
    """Say which customers were merged into others, and which were split, to each of them.

    What several customers are told is one message: it has the same ``id`` under all their keys.
    """
    merged: dict[UUID, list[UUID]] = {}
    for gone in sorted(regroup.former - regroup.present):
        merged.setdefault(heirs[gone], []).append(gone)
    for heir, formers in merged.items():
        content = _content(at, regroup.cause, into=str(heir), from_=[str(id_) for id_ in formers])
        for concerned in (*formers, heir):
            yield concerned, "customer.merged", content
    for former in sorted(regroup.former):
        into = sorted({p for f, p in regroup.paths if f == former and p in histories})
        if len(into) > 1:
            content = _content(
                at, regroup.cause, into=[str(id_) for id_ in into], from_=str(former)
            )
            for concerned in sorted({former, *into}):
                yield concerned, "customer.split", content


def _content(at: str, cause: JsonObject, *, into: JsonValue, from_: JsonValue) -> JsonObject:
    id_ = uuid5(_MESSAGES, f"{from_} {into} {at}")
    return {"id": str(id_), "into": into, "from": from_, "cause": cause, "at": at}
