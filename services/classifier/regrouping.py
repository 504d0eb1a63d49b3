"""Regrouping: the journeys of customers who turned out to be one, or more than one.

Histories are compared without the customer's id: a move that stays the same is re-keyed silently
(a login must not tell an anonymous history again), only real differences are restated.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from services.classifier.active_models import ActiveModel
from services.classifier.customers import lock_profiles, save_profiles
from services.classifier.following import Followed, Published, Restatement
from services.classifier.identities import Regroup
from services.classifier.journeys import (
    BEFORE_ALL,
    JourneyKey,
    journey_row,
    load_histories,
    load_published,
    lock_journeys,
    save_journeys,
)
from services.classifier.refolding import fold_history
from services.classifier.snapshots import Snapshot, drop_all_snapshots, keep_snapshots
from services.classifier.transitions import Change, Rekey, publish, rekey
from shared.instants import Instant, datetime_of, rfc3339
from shared.journey.moves import Move, transition_id
from shared.profiles import profile_of
from shared.touchpoints import JsonObject, Touchpoint

_HEIRS: Final = "SELECT own_id, customer_id FROM identifiers WHERE own_id = ANY($1)"
_FORGET: Final = (
    "DELETE FROM journeys WHERE customer_id = ANY($1)",
    "DELETE FROM customers WHERE id = ANY($1)",
)
_INHERIT: Final = """
UPDATE transitions t
   SET customer_id = gone.heir,
       n = t.n + coalesce((SELECT max(h.n) FROM transitions h
                            WHERE h.customer_id = gone.heir AND h.model_id = t.model_id
                              AND h.id = t.id), 0)
  FROM unnest($1::uuid[], $2::uuid[]) AS gone (id, heir)
 WHERE t.customer_id = gone.id
"""
_TELL: Final = """
INSERT INTO outbox (customer_id, type, data, created_at) VALUES ($1, $2, $3::json, $4)
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


async def refold_regrouped(
    connection: asyncpg.Connection,
    regroups: Iterable[Regroup],
    models: Mapping[int, ActiveModel],
    *,
    now: Instant,
) -> None:
    """Fold every regrouped customer anew, and tell what became of the former ones."""
    for regroup in regroups:
        await _refold(connection, regroup, models, now)


async def _refold(
    connection: asyncpg.Connection,
    regroup: Regroup,
    models: Mapping[int, ActiveModel],
    now: Instant,
) -> None:
    everyone = regroup.former | regroup.present
    await lock_profiles(connection, everyone)
    stored = await lock_journeys(connection, everyone, models)
    await drop_all_snapshots(connection, everyone)
    every_key = [JourneyKey(id_, model_id) for id_ in sorted(everyone) for model_id in models]
    published = await load_published(connection, dict.fromkeys(every_key, BEFORE_ALL))
    histories = await load_histories(connection, dict.fromkeys(regroup.present, BEFORE_ALL))
    followed: dict[JourneyKey, Followed] = {}
    changes: list[Change] = []
    moved: list[Rekey] = []
    for model_id, model in models.items():
        states = [state for key, state in stored.items() if key.model_id == model_id]
        settled_at = max((state.settled_at for state in states), default=None)
        pool = _Pool(
            [
                (k.customer_id, p)
                for k, ps in published.items()
                if k.model_id == model_id
                for p in ps
            ]
        )
        for customer_id, history in sorted(histories.items()):
            key = JourneyKey(customer_id, model_id)
            done, states = await fold_history(model.program, None, history, settled_at)
            followed[key] = done
            await keep_snapshots(connection, [Snapshot(key, state) for state in states])
            change, rekeys = _restated(key, model, done.moves, pool)
            changes.append(change)
            moved += rekeys
        changes = [*_taken_back(pool, model_id, model), *changes]
    await publish(connection, [c for c in changes if c.restatement.retracted], decided_at=now)
    await rekey(connection, moved)
    await _forget(connection, regroup)
    await _save(connection, followed, histories, now)
    await publish(connection, [c for c in changes if c.restatement.asserted], decided_at=now)
    await _tell(connection, regroup, histories, now)


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
    return Change(key, model.key, model.version, Restatement((), tuple(asserted))), rekeys


def _taken_back(pool: _Pool, model_id: int, model: ActiveModel) -> list[Change]:
    gone: dict[UUID, list[Published]] = {}
    for customer_id, entry in pool.standing:
        gone.setdefault(customer_id, []).append(entry)
    return [
        Change(
            JourneyKey(customer_id, model_id),
            model.key,
            model.version,
            Restatement(tuple(entries), ()),
        )
        for customer_id, entries in sorted(gone.items())
    ]


async def _forget(connection: asyncpg.Connection, regroup: Regroup) -> None:
    """Let the heirs of vanished customers have what was superseded, drop their caches."""
    vanished = sorted(regroup.former - regroup.present)
    if not vanished:
        return
    heirs = {row["own_id"]: row["customer_id"] for row in await connection.fetch(_HEIRS, vanished)}
    await connection.execute(_INHERIT, vanished, [heirs[id_] for id_ in vanished])
    for statement in _FORGET:
        await connection.execute(statement, vanished)


async def _save(
    connection: asyncpg.Connection,
    followed: Mapping[JourneyKey, Followed],
    histories: Mapping[UUID, list[Touchpoint]],
    now: Instant,
) -> None:
    profiles = {id_: profile_of(history) for id_, history in histories.items()}
    await save_profiles(connection, {i: p for i, p in profiles.items() if p}, now=now)
    rows = {key: journey_row(done) for key, done in followed.items()}
    await save_journeys(connection, rows, now=now)


async def _tell(
    connection: asyncpg.Connection,
    regroup: Regroup,
    histories: Mapping[UUID, list[Touchpoint]],
    now: Instant,
) -> None:
    """Put merges and splits into the outbox, under the customers that are there now."""
    vanished = sorted(regroup.former - regroup.present)
    heirs = {row["own_id"]: row["customer_id"] for row in await connection.fetch(_HEIRS, vanished)}
    into: dict[UUID, list[str]] = {}
    for gone in vanished:
        into.setdefault(heirs[gone], []).append(str(gone))
    told: list[tuple[UUID, str, JsonObject]] = [
        (heir, "customer.merged", {"into": str(heir), "from": gone}) for heir, gone in into.items()
    ]
    if len(histories) > 1:
        parts = [str(id_) for id_ in sorted(histories)]
        told += [
            (id_, "customer.split", {"from": str(id_), "into": parts}) for id_ in regroup.former
        ]
    for customer_id, kind, data in told:
        content = {**data, "cause": regroup.cause, "at": rfc3339(now)}
        text = msgspec.json.encode(content).decode()
        await connection.execute(_TELL, customer_id, kind, text, datetime_of(now))
