"""Certificates: what was erased, what remains for how long, signed; pure."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

import msgspec

from shared.instants import DAY, HOUR, Instant, Micros, rfc3339
from shared.touchpoints import JsonObject

EMBEDDED_COPIES: Final[Micros] = HOUR
"""The embedded log is swept at once, and again every ten minutes."""
KAFKA_COPIES: Final[Micros] = 14 * DAY
"""Kafka deletes whole segments: one is closed after a week, and goes a week after its last record.

The first is Kafka's default of ``segment.ms``, the second what our topics are made with.
"""
DEAD_ROWS: Final[Micros] = DAY
WRITE_AHEAD_LOG: Final[Micros] = 7 * DAY
SCHEME: Final = "hmac-sha256"

_EMBEDDED_COPIES: Final = "records of the log, which are overwritten in place"
_KAFKA_COPIES: Final = (
    "records of the Kafka topic, which go with its segments: segment.ms and then retention.ms "
    "after they were written, a week each unless you set them otherwise"
)
_SPOOL: Final = "records that an ingest keeps until Kafka is back, however long; then log copies"
_PURPOSE: Final = b"journeyline certificates"
_encoder: Final = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True, slots=True)
class Certificate:
    """That a customer was erased ``at``; ``document`` is what is signed and shown."""

    id: UUID
    at: Instant
    document: JsonObject

    @classmethod
    def of(
        cls,
        id_: UUID,
        at: Instant,
        *,
        suppressed: bool,
        counts: JsonObject,
        key: bytes,
        on_kafka: bool,
    ) -> Self:
        """Write and sign a certificate; *key* is the deployment's pepper."""
        content: JsonObject = {
            "id": str(id_),
            "erased_at": rfc3339(at),
            "suppressed": suppressed,
            "counts": counts,
            "remains": _remains(at, on_kafka=on_kafka),
        }
        return cls(id_, at, {**content, "signature": signature(content, key)})

    def encode(self) -> str:
        """Write the document as JSON."""
        return _encoder.encode(self.document).decode()


def signature(document: JsonObject, key: bytes) -> str:
    """Return the signature over *document*, its members sorted, without ``signature`` itself."""
    content = {name: value for name, value in document.items() if name != "signature"}
    own = hmac.digest(key, _PURPOSE, hashlib.sha256)
    return f"{SCHEME}:{hmac.digest(own, _encoder.encode(content), hashlib.sha256).hex()}"


def is_genuine(document: JsonObject, key: bytes) -> bool:
    """Tell whether *document* is a certificate of this deployment, and unchanged."""
    given = document.get("signature")
    return isinstance(given, str) and hmac.compare_digest(given, signature(document, key))


def _remains(at: Instant, *, on_kafka: bool) -> list[JsonObject]:
    """Return where bytes may be left that nothing reads any more, and until when, if it is known.

    Only with Kafka has an ingest a spool.
    """
    log: tuple[tuple[str, str, Micros | None], ...] = (
        (("log_copies", _KAFKA_COPIES, KAFKA_COPIES), ("spool", _SPOOL, None))
        if on_kafka
        else (("log_copies", _EMBEDDED_COPIES, EMBEDDED_COPIES),)
    )
    left = (
        *log,
        ("dead_rows", "deleted rows in the database's files, until they are vacuumed", DEAD_ROWS),
        ("write_ahead_log", "the database's own log; backups are yours", WRITE_AHEAD_LOG),
    )
    return [
        {"what": what, "detail": detail, "gone_by": None if after is None else rfc3339(at + after)}
        for what, detail, after in left
    ]
