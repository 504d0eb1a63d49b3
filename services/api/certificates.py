"""Certificates: what was erased, what remains for how long, signed; pure."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

import msgspec

from shared.instants import DAY, Instant, Micros, rfc3339
from shared.touchpoints import JsonObject

LOG_COPIES: Final[Micros] = 7 * DAY
"""Retention of the topic by default; the embedded log is cleared at once."""
DEAD_ROWS: Final[Micros] = DAY
WRITE_AHEAD_LOG: Final[Micros] = 7 * DAY
SPOOLED: Final[Micros] = DAY
SCHEME: Final = "hmac-sha256"

_LOG_COPIES: Final = (
    "records of the log: the embedded log is overwritten within the hour, a Kafka topic keeps them "
    "for its retention"
)
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
        cls, id_: UUID, at: Instant, *, suppressed: bool, counts: JsonObject, key: bytes
    ) -> Self:
        """Write and sign a certificate; *key* is the deployment's pepper."""
        content: JsonObject = {
            "id": str(id_),
            "erased_at": rfc3339(at),
            "suppressed": suppressed,
            "counts": counts,
            "remains": _remains(at),
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


def _remains(at: Instant) -> list[JsonObject]:
    """Return where bytes may be left that nothing reads any more, and until when."""
    left: tuple[tuple[str, str, Micros], ...] = (
        ("log_copies", _LOG_COPIES, LOG_COPIES),
        ("spool", "records that an ingest keeps while Kafka is away", SPOOLED),
        ("dead_rows", "deleted rows in the database's files, until they are vacuumed", DEAD_ROWS),
        ("write_ahead_log", "the database's own log; backups are yours", WRITE_AHEAD_LOG),
    )
    return [
        {"what": what, "detail": detail, "gone_by": rfc3339(at + after)}
        for what, detail, after in left
    ]
