"""Zendesk: base64 of HMAC-SHA256 under the webhook's secret, over timestamp and body.

Source: Zendesk's "Verifying webhook authenticity". The secret is used as it is shown, although it
looks like base64.
"""

import base64
import hmac

from services.ingest.channels.contract import Delivery
from services.ingest.channels.verify.evidence import (
    bad_signature,
    check_age,
    check_signed,
    header,
)
from shared.instants import parse_rfc3339
from shared.sources import Hook


def verify_zendesk(delivery: Delivery, hook: Hook) -> None:
    """Check ``X-Zendesk-Webhook-Signature``.

    Raises:
        Unauthorized: The delivery is not Zendesk's, or it is old.
    """
    presented = header(delivery, b"x-zendesk-webhook-signature")
    timestamp = header(delivery, b"x-zendesk-webhook-signature-timestamp")

    def sign(secret: bytes) -> list[bytes]:
        return [base64.b64encode(hmac.digest(secret, timestamp + delivery.body, "sha256"))]

    check_signed(hook, [presented], sign)
    try:
        signed_at = parse_rfc3339(timestamp.decode("latin-1"))
    except ValueError:
        raise bad_signature() from None
    check_age(signed_at, delivery.received_at)
