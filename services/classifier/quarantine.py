"""The quarantine's way in: refused items are kept in the transaction that counts them."""

from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec

from services.classifier.reading import Refusal
from shared.instants import Instant, datetime_of

_INSERT: Final = """
INSERT INTO quarantine (id, source, event_id, reason, message, errors, raw, raw_length, raw_sha256,
                        received_at, format, item, recorded_at, claim_id, log_offset)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (id) DO NOTHING
"""
_encoder: Final = msgspec.json.Encoder()


async def quarantine(
    connection: asyncpg.Connection,
    refusals: Sequence[Refusal],
    *,
    claim_id: int,
    recorded_at: Instant,
) -> None:
    """Keep *refusals*; one that is there already (its record was appended twice) stays as it is."""
    moment = datetime_of(recorded_at)
    rows = [(*_row(refusal), moment, claim_id, refusal.offset) for refusal in refusals]
    await connection.executemany(_INSERT, rows)


def _row(refusal: Refusal) -> tuple[object, ...]:
    data = refusal.data
    return (
        refusal.quarantine_id,
        indexable(refusal.source),
        indexable(data.event_id) if data.event_id is not None else None,
        data.reason,
        data.message.replace("\0", "\ufffd"),
        _encoder.encode(data.errors).decode(),
        data.raw,
        data.raw_length,
        data.raw_sha256,
        data.received_at,
        data.format,
        data.item,
    )


def indexable(text: str) -> str:
    """Return *text* as a PostgreSQL index can hold it: without NUL, and not too long."""
    return text.replace("\0", "\ufffd")[:600]
