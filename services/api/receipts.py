"""Receipts: what became of one touchpoint."""

from collections import OrderedDict
from typing import Final, TypeAlias

import asyncpg
import msgspec

from services.api.moments import moment_text, optional_moment_text
from services.api.readers.receipts import ReceiptRows
from shared.instants import Instant
from shared.touchpoints import JsonObject

Identity: TypeAlias = tuple[str, str]

MOST_REMEMBERED: Final = 10_000
PENDING: Final[JsonObject] = {
    "status": "pending",
    "received_at": None,
    "position": None,
    "customer_id": None,
    "effects": [],
    "duplicates": 0,
    "conflict": None,
    "reason": None,
    "redrive_of": None,
}


class FirstAsked:
    """When a receipt that is not there was first asked for; the oldest are forgotten.

    An identity that is not stored may still lie in the log. Once everything received before
    someone first asked has been read, it does not.
    """

    def __init__(self) -> None:
        self._asked: OrderedDict[Identity, Instant] = OrderedDict()

    def may_come(self, identity: Identity, *, now: Instant, watermark: Instant | None) -> bool:
        """Return whether *identity*, asked for *now* and not stored, may have been sent before."""
        since = self._asked.setdefault(identity, now)
        if watermark is None or watermark < since:
            if len(self._asked) > MOST_REMEMBERED:
                self._asked.popitem(last=False)
            return True
        del self._asked[identity]
        return False


def receipt_document(rows: ReceiptRows) -> JsonObject | None:
    """Return the receipt that *rows* give; None if they hold nothing.

    Where an identity has several records, being stored comes before erased, and that before
    quarantined.
    """
    if rows.stored is not None:
        return _stored(rows, rows.stored)
    if rows.erased:
        return {**PENDING, "status": "erased"}
    if rows.quarantined:
        return _quarantined(rows.quarantined[-1])
    return None


def _stored(rows: ReceiptRows, stored: asyncpg.Record) -> JsonObject:
    duplicates = rows.duplicates
    conflict = duplicates["last_conflict"] if duplicates else None
    redriven = [row["id"] for row in rows.quarantined if row["status"] == "redriven"]
    return {
        **PENDING,
        "status": "stored",
        "received_at": moment_text(stored["received_at"]),
        "position": _position(stored),
        "customer_id": str(stored["customer_id"]),
        "effects": [_effect(row) for row in rows.effects],
        "duplicates": duplicates["seen"] if duplicates else 0,
        "conflict": msgspec.Raw(conflict.encode()) if conflict else None,
        "redrive_of": redriven[-1] if redriven else None,
    }


def _quarantined(row: asyncpg.Record) -> JsonObject:
    return {
        **PENDING,
        "status": "quarantined",
        "received_at": moment_text(row["received_at"]),
        "position": None if row["topic"] is None else _position(row),
        "reason": row["reason"],
        "message": row["message"],
        "quarantine_id": row["id"],
        "quarantine_status": row["status"],
    }


def _position(row: asyncpg.Record) -> JsonObject:
    return {"topic": row["topic"], "partition": row["partition"], "offset": row["log_offset"]}


def _effect(row: asyncpg.Record) -> JsonObject:
    return {
        "id": row["id"],
        "axis": row["axis"],
        "kind": row["kind"],
        "from": row["from_key"],
        "to": row["to_key"],
        "at": moment_text(row["at"]),
        "decided_at": moment_text(row["decided_at"]),
        "superseded_at": optional_moment_text(row["superseded_at"]),
        "cycle": row["cycle"],
        "rule": row["rule"],
        "cause": msgspec.Raw(row["cause"].encode()),
        "model": row["model"],
        "version": row["version"],
    }
