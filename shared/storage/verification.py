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
from shared.storage.rows import move_of, touchpoint_of
from shared.storage.stage_models import stored_model
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
"""
_PROFILES: Final = "SELECT id, profile FROM customers WHERE id = ANY($1)"
_JOURNEYS: Final = """
SELECT customer_id, model_id, state FROM journeys WHERE customer_id = ANY($1)
"""
_TRANSITIONS: Final = """
SELECT customer_id, model_id, id, at, axis, kind, from_key, to_key, cycle, rule, cause
  FROM transitions WHERE customer_id = ANY($1) AND superseded_at IS NULL
"""
_MODELS: Final = "SELECT id FROM models WHERE state = 'active'"
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


@dataclass(frozen=True, slots=True)
class _Journey:
    state: bytes
    published: dict[str, Move]


@dataclass(frozen=True, slots=True)
class _Customer:
    id: UUID
    history: list[Touchpoint]
    profile: Profile | None
    journeys: dict[int, _Journey]
    referrals: Mapping[tuple[str, str], Identifier]


@dataclass(frozen=True, slots=True)
class _Chunk:
    programs: Mapping[int, Program]
    customers: Sequence[_Customer]


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
        for customer in chunk.customers:
            touchpoints += len(customer.history)
            for what in _differences(customer, chunk.programs):
                differences += 1
                yield Difference(str(customer.id), what)
        customers += len(chunk.customers)
        after = chunk.customers[-1].id
        yield Progress(customers, max(of, customers))
    yield Result(customers, touchpoints, differences)


class _ActiveModels:
    """The models in force at the moment of a chunk: one may be activated meanwhile."""

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
) -> _Chunk | None:
    """Return the next customers; None when there are no more."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        ids = [row["customer_id"] for row in await connection.fetch(_NEXT, after, CHUNK)]
        if not ids:
            return None
        programs = await models.load(connection)
        histories = _grouped(await connection.fetch(_HISTORIES, ids))
        profiles = await connection.fetch(_PROFILES, ids)
        journeys = _grouped(await connection.fetch(_JOURNEYS, ids))
        transitions = _grouped(await connection.fetch(_TRANSITIONS, ids))
        referrals = _grouped(await connection.fetch(_REFERRALS, ids))
    profile_by_id = {row["id"]: Profile.decode(row["profile"]) for row in profiles}
    customers = [
        _Customer(
            id_,
            sorted(map(touchpoint_of, histories.get(id_, ())), key=lambda one: one.place),
            profile_by_id.get(id_),
            _journeys(journeys.get(id_, ()), transitions.get(id_, ())),
            _referrals(referrals.get(id_, ())),
        )
        for id_ in ids
    ]
    return _Chunk(programs, customers)


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


def _differences(customer: _Customer, programs: Mapping[int, Program]) -> list[str]:
    found: list[str] = []
    if profile_of(customer.history) != customer.profile:
        found.append("the profile is not the sum of the touchpoints")
    named = {
        touchpoint.place[1:]: referrer
        for touchpoint in customer.history
        if (referrer := referrer_in(touchpoint.properties)) is not None
    }
    if named != customer.referrals:
        found.append("the referrals are not those that the touchpoints name")
    for model_id, program in programs.items():
        journey = customer.journeys.get(model_id)
        if journey is not None:
            found += _journey_differences(customer, journey, program)
        elif customer.history:
            found.append(f"no journey is stored for model {program.model.key}")
    return found


def _journey_differences(customer: _Customer, journey: _Journey, program: Program) -> list[str]:
    stored = FoldState.decode(journey.state)
    fold = Fold(program)
    for touchpoint in customer.history:
        fold.apply(touchpoint)
    fold.advance(stored.settled_at)
    key, version = program.model.key, program.model.version
    moves = {transition_id(version, str(customer.id), move): move for move in fold.moves}
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
