"""What redriving would do to customers and journeys, computed without writing anything.

The repaired touchpoints are laid beside what is stored: links are resolved anew, and the journeys
of everybody concerned are folded with them and without them, under the default model.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import asyncpg

from services.api.freshness import freshness
from services.api.readers.stage_models import find_model
from services.api.resources import Resources
from services.api.transactions import reading
from shared.identity.components import resolve
from shared.identity.customers import Customer
from shared.identity.links import Link, links_of
from shared.identity.policy import Policy
from shared.instants import Instant
from shared.journey.fold import fold, in_order
from shared.journey.journeys import Journey
from shared.journey.program import Program
from shared.records import TouchpointRecord
from shared.storage.rows import touchpoint_of
from shared.storage.watermark import load_watermark
from shared.touchpoints import Identifier, JsonObject, Touchpoint
from shared.upkeep.neighbourhoods import StoredNeighbourhood, load_neighbourhood

MOST_TOUCHPOINTS: Final = 200_000
"""What is folded at most; customers beyond it are not looked at, and the answer says so."""

MOST_SHOWN: Final = 50
CUSTOMERS_AT_ONCE: Final = 100

_KNOWN: Final = """
SELECT source, event_id FROM touchpoints
  JOIN unnest($1::text[], $2::text[]) AS wanted (source, event_id) USING (source, event_id)
"""
_HISTORIES: Final = """
SELECT identifier_id, source, event_id, effective_at, channel, type, body
  FROM touchpoints WHERE identifier_id = ANY($1::bigint[])
"""


@dataclass(frozen=True, slots=True)
class _Coming:
    """Touchpoints that are not stored yet, with the identifiers they carry."""

    touchpoints: Mapping[Identifier, Sequence[Touchpoint]]
    """By primary identifier."""
    links: Sequence[Link]
    identifiers: frozenset[Identifier]
    duplicates: int


@dataclass(slots=True)
class _Effects:
    """What is found, customer by customer, under *program* at *as_of*."""

    program: Program
    as_of: Instant
    moves: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    shown: list[JsonObject] = field(default_factory=list)
    folded: int = 0
    unchanged: int = 0

    def fold(self, touchpoints: Sequence[Touchpoint]) -> Journey:
        """Return the journey of these touchpoints."""
        self.folded += len(touchpoints)
        return fold(self.program, in_order(touchpoints), self.as_of)

    def add(self, customer: Customer, before: Mapping[UUID, Journey], after: Journey) -> None:
        """Note what becomes of *customer*, who was the customers *before*."""
        stages = [_stage(journey) for journey in before.values()] or [None]
        now = _stage(after)
        self.moves.update((stage, now) for stage in stages)
        said = {move for journey in before.values() for move in journey.transitions}
        added = sum(move not in said for move in after.transitions)
        taken_back = len(said - set(after.transitions))
        if not (added or taken_back):
            self.unchanged += 1
        elif len(self.shown) < MOST_SHOWN:
            self.shown.append(
                {
                    "customer_id": str(customer.id),
                    "before": [
                        {"customer_id": str(id_), "stage": _stage(journey)}
                        for id_, journey in before.items()
                    ],
                    "stage": now,
                    "transitions_added": added,
                    "transitions_taken_back": taken_back,
                }
            )


async def effects_of(resources: Resources, records: Sequence[TouchpointRecord]) -> JsonObject:
    """Return what storing *records* would do to customers and journeys."""
    policy = resources.directory.policy
    async with reading(resources.engine) as connection:
        coming = await _coming(connection, records, policy)
        near = await load_neighbourhood(connection, coming.identifiers, policy)
        fresh = freshness(resources.clock(), await load_watermark(connection))
        as_of = resources.clock() if fresh.as_of is None else fresh.as_of
        program = await resources.programs.load(connection, await find_model(connection, None))
        alone = {*near.row_ids, *coming.identifiers}
        resolution = resolve([*near.links, *coming.links], near.bars, policy, alone=alone)
        concerned = [
            customer
            for customer in resolution.customers
            if not customer.identifiers.isdisjoint(coming.touchpoints)
        ]
        effects = _Effects(program, as_of)
        done = 0
        for start in range(0, len(concerned), CUSTOMERS_AT_ONCE):
            if effects.folded > MOST_TOUCHPOINTS:
                break
            some = concerned[start : start + CUSTOMERS_AT_ONCE]
            await _compare(connection, some, coming, near, effects)
            done += len(some)
    return _document(concerned, coming, near, effects, done)


async def _coming(
    connection: asyncpg.Connection, records: Sequence[TouchpointRecord], policy: Policy
) -> _Coming:
    rows = await connection.fetch(_KNOWN, [r.sender for r in records], [r.id for r in records])
    known = {(row["source"], row["event_id"]) for row in rows}
    new = {(r.sender, r.id): r for r in records if (r.sender, r.id) not in known}
    touchpoints: dict[Identifier, list[Touchpoint]] = {}
    links: list[Link] = []
    identifiers: set[Identifier] = set()
    for record in new.values():
        names = record.identifiers
        touchpoint = record.touchpoint
        touchpoints.setdefault(names[0], []).append(touchpoint)
        identifiers.update(names)
        if record.data.links:
            links += links_of(names, touchpoint.place, policy)
    return _Coming(touchpoints, links, frozenset(identifiers), len(records) - len(new))


async def _compare(
    connection: asyncpg.Connection,
    customers: Sequence[Customer],
    coming: _Coming,
    near: StoredNeighbourhood,
    effects: _Effects,
) -> None:
    """Fold the journeys of *customers* as they are and as they would be."""
    members = {
        name: near.row_ids[name] for c in customers for name in c.identifiers & near.row_ids.keys()
    }
    stored: dict[int, list[Touchpoint]] = {}
    for row in await connection.fetch(_HISTORIES, list(members.values())):
        stored.setdefault(row["identifier_id"], []).append(touchpoint_of(row))
    for customer in customers:
        former: dict[UUID, list[Touchpoint]] = {}
        future: list[Touchpoint] = []
        for name in customer.identifiers:
            history = stored.get(members.get(name, -1), [])
            if history:
                former.setdefault(near.customers[name], []).extend(history)
            future += history
            future += coming.touchpoints.get(name, ())
        before = {id_: effects.fold(told) for id_, told in former.items()}
        effects.add(customer, before, effects.fold(future))
        await asyncio.sleep(0)


def _document(
    concerned: Sequence[Customer],
    coming: _Coming,
    near: StoredNeighbourhood,
    effects: _Effects,
    done: int,
) -> JsonObject:
    known = [any(name in near.row_ids for name in c.identifiers) for c in concerned]
    return {
        "touchpoints": sum(map(len, coming.touchpoints.values())),
        "duplicates": coming.duplicates,
        "customers": len(concerned),
        "new_customers": known.count(False),
        "customers_compared": done,
        "journeys_changed": done - effects.unchanged,
        "moves": [
            {"from": before, "to": after, "customers": count}
            for (before, after), count in effects.moves.most_common()
        ],
        "journeys": effects.shown,
    }


def _stage(journey: Journey) -> str | None:
    return None if journey.stage is None else journey.stage.key
