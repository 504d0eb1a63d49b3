"""Relaying: what the feed numbered goes to a topic of its own, for whoever reads Kafka.

At least once, in the order of ``seq``, by one relay at a time: messages about one customer have
one key, so they keep their order. A message that is sent again carries the same id.
"""

import asyncio
import contextlib
from typing import Final

import asyncpg
import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.clock import Clock
from shared.errors import RetryableError
from shared.instants import datetime_of, instant_of, rfc3339
from shared.log.kafka import open_kafka_writer
from shared.log.kafka_connection import KafkaAddress
from shared.log.port import Entry, LogWriter
from shared.metrics import OUTBOX_RELAYED
from shared.upkeep.transactions import transaction

log = structlog.get_logger()

MOST: Final = 500
"""Messages in one append."""
PAUSE_SECONDS: Final = 0.2
RETRY_SECONDS: Final = 2.0
APPEND_TIMEOUT_SECONDS: Final = 5.0
SOURCE: Final = "/journeyline"

_LOCK: Final = "SELECT pg_try_advisory_xact_lock(x'666565642D72656C'::bigint)"  # "feed-rel"
_NEXT: Final = """
SELECT seq, customer_id, type, data, created_at FROM outbox
 WHERE relayed_at IS NULL AND seq IS NOT NULL ORDER BY seq LIMIT $1
"""
_RELAYED: Final = "UPDATE outbox SET relayed_at = $2 WHERE seq = ANY ($1::bigint[])"


class Relay:
    """Sends messages of the outbox to a log; every classifier on Kafka runs one.

    Args:
        engine: Of the database.
        writer: Appends to the topic of transitions.
        clock: The present.
    """

    def __init__(self, engine: AsyncEngine, writer: LogWriter, clock: Clock) -> None:
        self._engine = engine
        self._writer = writer
        self._clock = clock

    async def run(self, stopping: asyncio.Event) -> None:
        """Relay what comes until *stopping* is set."""
        while not stopping.is_set():
            pause = PAUSE_SECONDS
            try:
                if await self.relay() == MOST:
                    continue
            except RetryableError as error:
                log.warning("relay_waits", why=error.message)
                pause = RETRY_SECONDS
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pause)

    async def relay(self) -> int:
        """Send the next messages and return how many; none while another relay does.

        Raises:
            LogUnavailable: it was not confirmed that they are in the log; they are sent again.
        """
        async with transaction(self._engine) as connection:
            if not await connection.fetchval(_LOCK):
                return 0
            rows = await connection.fetch(_NEXT, MOST)
            if rows:
                await self._writer.append([_entry(row) for row in rows])
                seqs = [row["seq"] for row in rows]
                await connection.execute(_RELAYED, seqs, datetime_of(self._clock()))
        OUTBOX_RELAYED.inc(len(rows))
        return len(rows)


async def relay_to_kafka(
    engine: AsyncEngine, address: KafkaAddress, topic: str, clock: Clock, stopping: asyncio.Event
) -> None:
    """Relay to *topic* of Kafka until *stopping* is set."""
    opening = open_kafka_writer(address, topic, append_timeout_seconds=APPEND_TIMEOUT_SECONDS)
    async with opening as writer:
        await Relay(engine, writer, clock).run(stopping)


def _entry(row: asyncpg.Record) -> Entry:
    """Return a message as a CloudEvent in structured JSON, with the customer as its key."""
    about = row["customer_id"]
    event = {
        "specversion": "1.0",
        "id": str(row["seq"]),
        "source": SOURCE,
        "type": f"journeyline.{row['type']}",
        "time": rfc3339(instant_of(row["created_at"])),
        "datacontenttype": "application/json",
        "sequence": str(row["seq"]),
        **({} if about is None else {"subject": str(about)}),
        "data": msgspec.Raw(row["data"].encode()),
    }
    return Entry(str(about or row["type"]).encode(), msgspec.json.encode(event))
