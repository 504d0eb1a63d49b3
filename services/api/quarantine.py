"""Quarantined items as answers carry them."""

import base64

import asyncpg
import msgspec

from services.api.moments import moment_text, optional_moment_text
from services.api.repairs import NATIVE, needs_item, parsed
from shared.touchpoints import JsonObject


def item_document(row: asyncpg.Record) -> JsonObject:
    """Return an item as lists show it."""
    return {
        "id": str(row["id"]),
        "reason": row["reason"],
        "source": row["source"],
        "event_id": row["event_id"],
        "received_at": moment_text(row["received_at"]),
        "status": row["status"],
    }


def item_in_full(row: asyncpg.Record) -> JsonObject:
    """Return an item with what was sent: as text, and as base64 where it is no UTF-8.

    ``item`` is the touchpoint that was read out of another format; a patch changes that one.
    ``repair`` says what a repair takes: a patch, or a whole new item.
    """
    raw: bytes = row["raw"]
    item: bytes | None = row["item"]
    text = raw.decode(errors="replace")
    position = {"topic": row["topic"], "partition": row["partition"], "offset": row["log_offset"]}
    return {
        **item_document(row),
        "message": row["message"],
        "errors": msgspec.Raw(row["errors"].encode()),
        "format": row["format"] or NATIVE,
        "parsed": parsed(raw),
        "item": None if item is None else parsed(item),
        "repair": "item" if needs_item(row["format"], raw, row["raw_length"], item) else "patch",
        "raw": text,
        "raw_base64": None if text.encode() == raw else base64.b64encode(raw).decode(),
        "raw_length": row["raw_length"],
        "raw_sha256": row["raw_sha256"],
        "recorded_at": moment_text(row["recorded_at"]),
        "position": None if row["topic"] is None else position,
        "settled_at": optional_moment_text(row["settled_at"]),
        "settled_reason": row["settled_reason"],
        "redriven_event_id": row["redriven_event_id"],
    }
