"""Secrets of endpoints, and the signatures they make.

A secret is derived from the pepper, so that neither the database nor a backup of it holds any, and
every process of the API knows all of them.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from standardwebhooks import Webhook

from shared.instants import DAY, Instant, Micros, datetime_of

OVERLAP: Final[Micros] = DAY
"""How long a secret still signs after another one took its place."""


def secret_of(pepper: bytes, webhook_id: UUID, generation: int) -> str:
    """Return a secret of an endpoint as its owner is shown it; the first has generation 0."""
    message = b"journeyline webhook" + webhook_id.bytes + generation.to_bytes(8)
    digest = hmac.digest(pepper, message, hashlib.sha256)
    return "whsec_" + base64.b64encode(digest).decode()


def signing_generations(rotated_at: Sequence[Instant], now: Instant) -> list[int]:
    """Return which secrets sign at *now*, the newest first.

    Args:
        rotated_at: When each next secret took the place of the one before, in order.
        now: The present.
    """
    overlapping = [number for number, at in enumerate(rotated_at) if now - at < OVERLAP]
    return [len(rotated_at), *reversed(overlapping)]


def signatures(secrets: Sequence[str], message_id: str, now: Instant, body: bytes) -> str:
    """Return the ``webhook-signature`` header: one signature for each of *secrets*."""
    # The library takes any time for UTC, so it is given none but UTC.
    moment, text = datetime_of(now), body.decode()
    return " ".join(Webhook(secret).sign(message_id, moment, text) for secret in secrets)
