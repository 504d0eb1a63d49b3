"""Certificates: what was erased, what remains for how long, signed; pure."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

import msgspec

from services.api.remains import Remains
from shared.instants import Instant, rfc3339
from shared.touchpoints import JsonObject

SCHEME: Final = "hmac-sha256"

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
        remains: Remains,
    ) -> Self:
        """Write and sign a certificate; *key* is the deployment's pepper."""
        content: JsonObject = {
            "id": str(id_),
            "erased_at": rfc3339(at),
            "suppressed": suppressed,
            "counts": counts,
            "remains": remains.told(at),
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
