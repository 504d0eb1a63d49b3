"""Exports as answers carry them: everything that is held about a customer."""

from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from services.api.customers import customer_document
from services.api.erasure_mentions import find_mentions
from services.api.journeys import present_journey
from services.api.moments import moment_text, optional_moment_text
from services.api.quarantine import item_in_full
from services.api.readers.customers import find_customer, read_identifiers
from services.api.readers.exports import ExportRows
from services.api.readers.links import read_bars, read_links
from services.api.readers.touchpoints import touchpoint_item
from services.api.resources import Resources
from services.api.transactions import reading
from shared.instants import rfc3339
from shared.touchpoints import Identifier, JsonObject

FORMAT: Final = 1
"""Counts the layouts of the document."""


async def export_document(resources: Resources, reference: Identifier | UUID) -> JsonObject:
    """Return everything that is held about the customer *reference*, read at one moment.

    Touchpoints of others that name the customer are others' data: they are only listed.

    Raises:
        NotFound: there is no such customer.
    """
    async with reading(resources.engine) as connection:
        customer_id = (await find_customer(connection, reference)).customer_id
    mentions = await find_mentions(resources.engine, customer_id)
    async with reading(resources.engine) as connection:
        head = await find_customer(connection, reference)
        ids = head.identifier_ids
        now = resources.clock()
        journey = await present_journey(connection, resources, head, now)
        document = customer_document(
            head,
            await read_identifiers(connection, ids),
            await read_links(connection, ids),
            await read_bars(connection, ids),
            journey,
        )
        rows = ExportRows(connection, head.customer_id, ids)
        return {
            "format": FORMAT,
            "exported_at": rfc3339(now),
            "customer": document,
            "touchpoints": [touchpoint_item(row) for row in await rows.touchpoints()],
            "journeys": [_journey(row) for row in await rows.journeys()],
            "transitions": [_transition(row) for row in await rows.transitions()],
            "duplicates": [_duplicate(row) for row in await rows.duplicates()],
            "quarantine": [item_in_full(row) for row in await rows.quarantine(mentions.items)],
            "messages": [_message(row) for row in await rows.messages()],
            "deliveries": [_delivery(row) for row in await rows.deliveries()],
            "diffs": [_diff(row) for row in await rows.diffs()],
            "named_in": [
                {"source": source, "event_id": event_id}
                for source, event_id in sorted(mentions.bodies)
            ],
        }


def _journey(row: asyncpg.Record) -> JsonObject:
    times = ("stage_since", "next_at", "updated_at")
    moments = {name: optional_moment_text(row[name]) for name in times}
    names = ("model", "version", "stage", "activity", "cycle", "peak_stage")
    return {**{name: row[name] for name in names}, **moments}


def _transition(row: asyncpg.Record) -> JsonObject:
    return {
        "id": row["id"],
        "n": row["n"],
        "model": row["model"],
        "version": row["version"],
        "axis": row["axis"],
        "kind": row["kind"],
        "from": row["from_key"],
        "to": row["to_key"],
        "at": moment_text(row["at"]),
        "cycle": row["cycle"],
        "rule": row["rule"],
        "cause": msgspec.Raw(row["cause"].encode()),
        "decided_at": moment_text(row["decided_at"]),
        "superseded_at": optional_moment_text(row["superseded_at"]),
    }


def _duplicate(row: asyncpg.Record) -> JsonObject:
    conflict = row["last_conflict"]
    return {
        "source": row["source"],
        "event_id": row["event_id"],
        "seen": row["seen"],
        "conflicts": row["conflicts"],
        "last_seen_at": moment_text(row["last_seen_at"]),
        "last_conflict": None if conflict is None else msgspec.Raw(conflict.encode()),
    }


def _delivery(row: asyncpg.Record) -> JsonObject:
    names = ("url", "type", "status", "attempts", "response_status")
    return {**{name: row[name] for name in names}, "created_at": moment_text(row["created_at"])}


def _message(row: asyncpg.Record) -> JsonObject:
    return {
        "type": row["type"],
        "data": msgspec.Raw(row["data"].encode()),
        "created_at": moment_text(row["created_at"]),
    }


def _diff(row: asyncpg.Record) -> JsonObject:
    return {
        "version": row["version"],
        "against": row["against"],
        "as_of": optional_moment_text(row["as_of"]),
        **msgspec.json.decode(row["document"], type=dict[str, msgspec.Raw]),
    }
