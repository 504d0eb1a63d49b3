"""Mailgun: hex of HMAC-SHA256 under the webhook signing key, over timestamp and token.

Source: Mailgun's "Securing webhooks". The signature stands in the body and does not cover the
event: whoever has read one delivery can sign others for as long as its time is young enough, which
only TLS prevents. That is Mailgun's design, and why the page on it says so.
"""

import hmac

import msgspec

from services.ingest.channels.contract import Delivery
from services.ingest.channels.verify.evidence import (
    bad_signature,
    check_age,
    check_signed,
    seconds_in,
)
from shared.errors import Unauthorized
from shared.sources import Hook


class _Signature(msgspec.Struct):
    timestamp: str
    token: str
    signature: str


class _Signed(msgspec.Struct):
    signature: _Signature


_decoder = msgspec.json.Decoder(_Signed)


def verify_mailgun(delivery: Delivery, hook: Hook) -> None:
    """Check the ``signature`` in the body.

    Raises:
        Unauthorized: The delivery is not Mailgun's, or it is old.
    """
    try:
        signature = _decoder.decode(delivery.body).signature
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unauthorized(
            "the body has no signature {timestamp, token, signature}", code="no_signature"
        ) from None
    if not (signature.timestamp + signature.token + signature.signature).isascii():
        raise bad_signature()
    signed = (signature.timestamp + signature.token).encode()

    def sign(secret: bytes) -> list[bytes]:
        return [hmac.digest(secret, signed, "sha256").hex().encode()]

    check_signed(hook, [signature.signature.encode()], sign)
    check_age(seconds_in(signature.timestamp.encode()), delivery.received_at)
