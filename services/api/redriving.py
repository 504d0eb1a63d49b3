"""Redriving: refused items repaired, judged anew, appended to the log, and settled; or discarded.

An item is locked while it is redriven, so that doing it twice is doing it once. It is appended
before it is settled: a process that dies in between leaves it open, and its next redrive is a
duplicate of the same identity, which the classifier counts and does not store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from services.api.readers.quarantine import QuarantineFilter, select_open
from services.api.repairs import Held, Repair, judged_anew, repaired
from services.api.resources import Resources
from services.api.transactions import reading, writing
from shared.acceptance.terms import Terms
from shared.errors import Conflict, Fault, Invalid, NotFound
from shared.instants import datetime_of, instant_of
from shared.log.port import Entry
from shared.records import TouchpointRecord, encode, key_of
from shared.sources import API_SOURCE, Source
from shared.storage.access import read_source
from shared.storage.audit import Act, record_act
from shared.storage.engine import driver_of

MOST_AT_ONCE: Final = 10_000
"""Items that one request redrives at most."""

ITEMS_A_TRANSACTION: Final = 500

_LOCK: Final = """
SELECT id, source, event_id, raw, raw_length, format, item, received_at, status,
       redriven_event_id
  FROM quarantine WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
"""
_REDRIVEN: Final = """
UPDATE quarantine q SET status = 'redriven', settled_at = $3, redriven_event_id = done.event_id
  FROM unnest($1::uuid[], $2::text[]) AS done (id, event_id) WHERE q.id = done.id
"""
_DISCARD: Final = """
UPDATE quarantine SET status = 'discarded', settled_at = $2, settled_reason = $3
 WHERE id = ANY($1::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Redriven:
    """What became of one item that was to be redriven.

    ``record`` is what it became, also in a dry run; None where ``error`` says what is still wrong
    with it, or where it had been redriven before.
    """

    quarantine_id: UUID
    source: str
    event_id: str | None
    status: str
    record: TouchpointRecord | None = None
    error: Invalid | None = None


@dataclass(slots=True)
class _Judging:
    """What items are judged by: their sources, read once for all of them."""

    resources: Resources
    connection: AsyncConnection
    sources: dict[str, Source] = field(default_factory=dict)

    async def terms(self, name: str, received_at: datetime, quarantine_id: UUID) -> Terms:
        """Return the terms of an item's first arrival; its own id is its quarantine id.

        Raises:
            Invalid: its source is not known.
        """
        if name not in self.sources:
            try:
                self.sources[name] = (await read_source(self.connection, name)).source
            except NotFound:
                if name != API_SOURCE.name:
                    message = f"the source {name} is not known: make it, or send the item anew"
                    fault = Fault("source", "unknown_source", message)
                    raise Invalid(message, code="unknown_source", faults=[fault]) from None
                self.sources[name] = API_SOURCE
        return Terms(
            source=self.sources[name],
            policy=self.resources.directory.policy,
            received_at=instant_of(received_at),
            new_id=lambda: quarantine_id,
        )


async def redrive_one(
    resources: Resources, quarantine_id: UUID, repair: Repair, *, actor: str, dry_run: bool
) -> Redriven:
    """Redrive one item; one that has been redriven stays as it is.

    Raises:
        NotFound: no item has that id.
        Conflict: it was discarded; code ``discarded``.
        Invalid: it is still wrong.
        LogUnavailable: it is not known to be in the log; it is still open.
    """
    outcomes = await _redrive(resources, [quarantine_id], repair, actor=actor, dry_run=dry_run)
    if not outcomes:
        raise NotFound("no quarantined item has that id")
    [outcome] = outcomes
    if outcome.status == "discarded":
        raise Conflict("the item was discarded: send it anew", code="discarded")
    if outcome.error is not None:
        raise outcome.error
    return outcome


async def redrive_all(
    resources: Resources, wanted: QuarantineFilter, repair: Repair, *, actor: str, dry_run: bool
) -> tuple[int, list[Redriven]]:
    """Redrive the open items that *wanted* selects, the oldest first, MOST_AT_ONCE at most.

    Returns:
        How many are selected, and what became of those that were tried.

    Raises:
        LogUnavailable: some may be in the log already and are still open: the same again is safe.
    """
    async with reading(resources.engine) as connection:
        matched, ids = await select_open(connection, wanted, MOST_AT_ONCE)
    outcomes: list[Redriven] = []
    for start in range(0, len(ids), ITEMS_A_TRANSACTION):
        some = ids[start : start + ITEMS_A_TRANSACTION]
        outcomes += await _redrive(resources, some, repair, actor=actor, dry_run=dry_run)
    return matched, outcomes


async def discard(
    resources: Resources, quarantine_id: UUID, reason: str, *, actor: str
) -> asyncpg.Record:
    """Settle an open item for good; discarding it again changes nothing.

    Returns:
        Its row before that.

    Raises:
        NotFound: no item has that id.
        Conflict: it was redriven; code ``redriven``.
    """
    now = resources.clock()
    async with writing(resources.engine) as connection:
        driver = await driver_of(connection)
        row = await driver.fetchrow(_LOCK, [quarantine_id])
        if row is None:
            raise NotFound("no quarantined item has that id")
        if row["status"] == "redriven":
            raise Conflict("the item was redriven: it is a touchpoint now", code="redriven")
        if row["status"] == "open":
            await driver.execute(_DISCARD, [quarantine_id], datetime_of(now), reason)
            act = Act(actor, "quarantine.discarded", f"quarantine:{quarantine_id}", reason)
            await record_act(driver, act, at=now)
    return row


async def _redrive(
    resources: Resources, ids: Sequence[UUID], repair: Repair, *, actor: str, dry_run: bool
) -> list[Redriven]:
    """Redrive some items in one transaction, in order of their ids."""
    now = resources.clock()
    async with writing(resources.engine) as connection:
        driver = await driver_of(connection)
        judging = _Judging(resources, connection)
        rows = await driver.fetch(_LOCK, ids)
        outcomes = [await _judged(row, repair, judging) for row in rows]
        ready = {one.quarantine_id: one.record for one in outcomes if one.record is not None}
        if dry_run or not ready:
            return outcomes
        await resources.log.append(
            [Entry(key_of(record), encode(record)) for record in ready.values()]
        )
        names = [record.id for record in ready.values()]
        await driver.execute(_REDRIVEN, list(ready), names, datetime_of(now))
        await record_act(driver, _act(actor, ready, repair), at=now)
    return [replace(one, status="redriven") if one.record else one for one in outcomes]


async def _judged(row: asyncpg.Record, repair: Repair, judging: _Judging) -> Redriven:
    source, quarantine_id = row["source"], row["id"]
    if row["status"] != "open":
        event_id = row["redriven_event_id"] or row["event_id"]
        return Redriven(quarantine_id, source, event_id, row["status"])
    try:
        terms = await judging.terms(source, row["received_at"], quarantine_id)
        held = Held(row["raw"], row["raw_length"], row["format"], row["item"])
        item = repaired(held, repair)
        touchpoint = judged_anew(quarantine_id, item, terms)
    except Invalid as error:
        return Redriven(quarantine_id, source, row["event_id"], "open", error=error)
    return Redriven(quarantine_id, source, touchpoint.id, "open", record=touchpoint)


def _act(actor: str, ready: Mapping[UUID, TouchpointRecord], repair: Repair) -> Act:
    """Return what is put on record: which items, and what was done to which members.

    Values are left out: they may be a person's, and the audit log outlives an erasure.
    """
    [first, *_] = ready
    subject = f"quarantine:{first}" if len(ready) == 1 else f"quarantine: {len(ready)} items"
    members = repair.patch if repair.item is None else repair.item
    return Act(
        actor,
        "quarantine.redriven",
        subject,
        details={
            "items": [str(id_) for id_ in ready],
            "replaced": repair.item is not None,
            "move": dict(repair.move),
            "patched": sorted(members or ()),
        },
    )
