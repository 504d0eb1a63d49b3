"""Verification: everything cached is computed anew from the stored touchpoints and compared."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg
import msgspec

from shared.identity.referrals import referrer_in
from shared.journey.fold import Fold, FoldState
from shared.journey.moves import Move, transition_id
from shared.journey.program import Program, compile_model
from shared.profiles import Profile, profile_of
from shared.storage.rows import move_of
from shared.storage.stage_models import stored_model
from shared.storage.stored_histories import stretches
from shared.storage.verifying_customers import regrouping_differences
from shared.touchpoints import Identifier, Touchpoint

CHUNK: Final = 200
"""Customers in one transaction: each of them is compared as of one moment."""

_COUNT: Final = "SELECT count(DISTINCT customer_id) FROM identifiers"
_NEXT: Final = """
SELECT DISTINCT customer_id FROM identifiers WHERE customer_id > $1 ORDER BY customer_id LIMIT $2
"""
_HISTORIES: Final = """
SELECT i.customer_id, t.source, t.event_id, t.effective_at, t.channel, t.type, t.body
  FROM identifiers i JOIN touchpoints t ON t.identifier_id = i.id
 WHERE i.customer_id = ANY($1)
 ORDER BY i.customer_id, t.effective_at, t.source, t.event_id
"""
_PROFILES: Final = "SELECT id, profile FROM customers WHERE id = ANY($1)"
_JOURNEYS: Final = """
SELECT customer_id, model_id, state FROM journeys WHERE customer_id = ANY($1)
"""
_TRANSITIONS: Final = """
SELECT customer_id, model_id, id, at, axis, kind, from_key, to_key, cycle, rule, cause
  FROM transitions WHERE customer_id = ANY($1) AND superseded_at IS NULL
"""
_MODELS: Final = """
SELECT id FROM models
 WHERE state = 'active'
    OR EXISTS (SELECT FROM rollouts r WHERE r.model_id = models.id AND r.phase = 'shadowing')
"""
_DOCUMENT: Final = "SELECT document FROM models WHERE id = $1"
_REFERRALS: Final = """
SELECT i.customer_id, r.source, r.event_id, r.referrer_kind, r.referrer_value
  FROM identifiers i JOIN referrals r ON r.referee_id = i.id
 WHERE i.customer_id = ANY($1) AND r.referrer_stub IS NULL
"""
_FIRST: Final = UUID(int=0)


class Progress(msgspec.Struct, frozen=True, tag="progress", tag_field="kind"):
    """How many customers have been compared so far."""

    customers: int
    of: int


class Difference(msgspec.Struct, frozen=True, tag="difference", tag_field="kind"):
    """One thing that is stored otherwise than it follows from the touchpoints."""

    customer_id: str
    what: str


class Result(msgspec.Struct, frozen=True, tag="result", tag_field="kind"):
    """The end of a verification."""

    customers: int
    touchpoints: int
    differences: int


Finding: TypeAlias = Progress | Difference | Result

Models: TypeAlias = Mapping[int, Program]
"""The models in force and their shadows, by row id."""


@dataclass(frozen=True, slots=True)
class _Journey:
    """What is stored of a journey."""

    state: bytes
    published: dict[str, Move]


@dataclass(frozen=True, slots=True)
class _Stored:
    """What is stored of a customer besides touchpoints; journeys are by model."""

    profile: Profile | None
    journeys: Mapping[int, _Journey]
    referrals: Mapping[tuple[str, str], Identifier]


class _Customer:
    """What is stored of a customer, and what follows from the touchpoints taken so far."""

    def __init__(self, id_: UUID, stored: _Stored, models: Models) -> None:
        self.id = id_
        self.touchpoints = 0
        self._stored = stored
        self._grown: Profile | None = None
        self._referrals: dict[tuple[str, str], Identifier] = {}
        self._folds = {model_id: Fold(program) for model_id, program in models.items()}

    def take(self, touchpoints: Sequence[Touchpoint]) -> None:
        """Take the next touchpoints in canonical order."""
        self.touchpoints += len(touchpoints)
        self._grown = profile_of(touchpoints, self._grown)
        for touchpoint in touchpoints:
            referrer = referrer_in(touchpoint.properties)
            if referrer is not None:
                self._referrals[touchpoint.source, touchpoint.event_id] = referrer
        for fold in self._folds.values():
            for touchpoint in touchpoints:
                fold.apply(touchpoint)

    def differences(self) -> list[str]:
        """Say what is stored otherwise, now that all touchpoints are taken."""
        found: list[str] = []
        if self._grown != self._stored.profile:
            found.append("the profile is not the sum of the touchpoints")
        if self._referrals != self._stored.referrals:
            found.append("the referrals are not those that the touchpoints name")
        for model_id, fold in self._folds.items():
            journey = self._stored.journeys.get(model_id)
            if journey is not None:
                found += _journey_differences(str(self.id), fold, journey)
            elif self.touchpoints:
                found.append(f"no journey is stored for model {fold.program.model.key}")
        return found


async def verify(connection: asyncpg.Connection) -> AsyncIterator[Finding]:
    """Compare all customers; yields progress, differences as they are found, the result last.

    Args:
        connection: In no transaction; writers may go on meanwhile.
    """
    models = _ActiveModels()
    customers = touchpoints = differences = 0
    of = await connection.fetchval(_COUNT)
    for customer_id, what in await regrouping_differences(connection):
        differences += 1
        yield Difference(customer_id, what)
    after = _FIRST
    while chunk := await _load_chunk(connection, models, after):
        for customer in chunk:
            touchpoints += customer.touchpoints
            for what in customer.differences():
                differences += 1
                yield Difference(str(customer.id), what)
        customers += len(chunk)
        after = chunk[-1].id
        yield Progress(customers, max(of, customers))
    yield Result(customers, touchpoints, differences)


class _ActiveModels:
    """The models with journeys at the moment of a chunk: one may be activated meanwhile."""

    def __init__(self) -> None:
        self._compiled: dict[int, Program] = {}

    async def load(self, connection: asyncpg.Connection) -> dict[int, Program]:
        """Return the programs by row id, as *connection*'s transaction sees them."""
        active = [row["id"] for row in await connection.fetch(_MODELS)]
        for id_ in active:
            if id_ not in self._compiled:
                document = await connection.fetchval(_DOCUMENT, id_)
                self._compiled[id_] = compile_model(stored_model(document))
        return {id_: self._compiled[id_] for id_ in active}


async def _load_chunk(
    connection: asyncpg.Connection, models: _ActiveModels, after: UUID
) -> list[_Customer]:
    """Return the next customers with all that was stored of them at one moment."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        ids = [row["customer_id"] for row in await connection.fetch(_NEXT, after, CHUNK)]
        programs = await models.load(connection)
        profiles = await connection.fetch(_PROFILES, ids)
        journeys = _grouped(await connection.fetch(_JOURNEYS, ids))
        transitions = _grouped(await connection.fetch(_TRANSITIONS, ids))
        referrals = _grouped(await connection.fetch(_REFERRALS, ids))
        profile_by_id = {row["id"]: Profile.decode(row["profile"]) for row in profiles}
        customers = {
            id_: _Customer(
                id_,
                _Stored(
                    profile_by_id.get(id_),
                    _journeys(journeys.get(id_, ()), transitions.get(id_, ())),
                    _referrals(referrals.get(id_, ())),
                ),
                programs,
            )
            for id_ in ids
        }
        async for customer_id, touchpoints in stretches(connection, _HISTORIES, ids):
            customers[customer_id].take(touchpoints)
    return list(customers.values())


def _grouped(rows: Sequence[asyncpg.Record]) -> dict[UUID, list[asyncpg.Record]]:
    grouped: dict[UUID, list[asyncpg.Record]] = {}
    for row in rows:
        grouped.setdefault(row["customer_id"], []).append(row)
    return grouped


def _journeys(
    rows: Sequence[asyncpg.Record], transitions: Sequence[asyncpg.Record]
) -> dict[int, _Journey]:
    journeys = {row["model_id"]: _Journey(row["state"], {}) for row in rows}
    for row in transitions:
        if row["model_id"] in journeys:
            journeys[row["model_id"]].published[row["id"]] = move_of(row)
    return journeys


def _referrals(rows: Sequence[asyncpg.Record]) -> dict[tuple[str, str], Identifier]:
    return {
        (row["source"], row["event_id"]): Identifier(row["referrer_kind"], row["referrer_value"])
        for row in rows
    }


def _journey_differences(customer_id: str, fold: Fold, journey: _Journey) -> list[str]:
    program = fold.program
    fold.advance(FoldState.decode(journey.state).settled_at)
    key, version = program.model.key, program.model.version
    moves = {transition_id(version, customer_id, move): move for move in fold.moves}
    found = [
        f"model {key}: {what} {move.axis} {move.from_} -> {move.to} ({move.rule})"
        for what, ours, theirs in (
            ("lacks", moves, journey.published),
            ("has wrongly", journey.published, moves),
        )
        for id_, move in ours.items()
        if theirs.get(id_) != move
    ]
    if fold.freeze().encode() != journey.state:
        found.append(f"model {key}: the cached state is another one")
    return found
