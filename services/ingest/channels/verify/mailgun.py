"""Mailgun: hex of HMAC-SHA256 under the webhook signing key, over timestamp and token.

Source: Mailgun's "Securing webhooks". The signature stands in the body and does not cover the
event: whoever has read one delivery can sign others for as long as its time is young enough, which
only TLS prevents. That is Mailgun's design, and why the page on it says so.
"""

import hmac

from services.ingest.channels.contract import Delivery
from services.ingest.channels.payloads import Payload, json_in
from services.ingest.channels.verify.evidence import check_age, check_signed, seconds_in
from shared.errors import Invalid, Unauthorized, Unreadable
from shared.sources import Hook


def verify_mailgun(delivery: Delivery, hook: Hook) -> None:
    """Check the ``signature`` in the body.

    Raises:
        Unauthorized: The delivery is not Mailgun's, or it is old.
    """
    beside = _signature_in(delivery.body)
    timestamp, token = beside.text("timestamp"), beside.text("token")
    presented = beside.text("signature")
    if timestamp is None or token is None or presented is None:
        raise Unauthorized(
            "the body has no signature {timestamp, token, signature}", code="no_signature"
        )
    signed = (timestamp + token).encode("utf-8", "replace")

    def sign(secret: bytes) -> list[bytes]:
        return [hmac.digest(secret, signed, "sha256").hex().encode()]

    check_signed(hook, [presented.encode("utf-8", "replace")], sign)
    check_age(seconds_in(timestamp.encode()), delivery.received_at)


def _signature_in(body: bytes) -> Payload:
    try:
        return Payload(json_in(body)).inner("signature")
    except (Unreadable, Invalid):
        return Payload(None)
