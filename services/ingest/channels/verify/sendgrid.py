"""SendGrid: base64 of an ECDSA signature (P-256, SHA-256, DER) over timestamp and body.

Source: Twilio SendGrid's "Getting started with the Event Webhook security features". The secret of
the hook is the public key that SendGrid shows.
"""

import base64
import binascii
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from services.ingest.channels.contract import Delivery
from services.ingest.channels.verify.evidence import (
    bad_signature,
    check_age,
    header,
    seconds_in,
)
from shared.sources import Hook


def verify_sendgrid(delivery: Delivery, hook: Hook) -> None:
    """Check ``X-Twilio-Email-Event-Webhook-Signature``.

    Raises:
        Unauthorized: The delivery is not SendGrid's, or it is old.
    """
    presented = header(delivery, b"x-twilio-email-event-webhook-signature")
    timestamp = header(delivery, b"x-twilio-email-event-webhook-timestamp")
    try:
        signature = base64.b64decode(presented, validate=True)
    except binascii.Error:
        raise bad_signature() from None
    signed = timestamp + delivery.body
    if not any(_is_signed(secret, signature, signed) for secret in hook.secrets):
        raise bad_signature()
    check_age(seconds_in(timestamp), delivery.received_at)


def _is_signed(secret: str, signature: bytes, signed: bytes) -> bool:
    key = _public_key(secret)
    if key is None:
        return False
    try:
        key.verify(signature, signed, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


@lru_cache(1_024)
def _public_key(text: str) -> EllipticCurvePublicKey | None:
    """Return the key that *text* is, bare or as PEM; None if it is none."""
    lines = [line for line in text.split() if not line.startswith("-----")]
    bare = "".join(line for line in lines if line not in ("PUBLIC", "BEGIN", "END", "KEY-----"))
    try:
        key = load_der_public_key(base64.b64decode(bare, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, EllipticCurvePublicKey) else None
