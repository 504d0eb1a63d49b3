"""Shopify: base64 of HMAC-SHA256 under the app's client secret, over the body.

Source: Shopify's "Verify webhook deliveries". It signs no time; a replay has the same event id.
"""

import base64
import hmac

from services.ingest.channels.contract import Delivery
from services.ingest.channels.verify.evidence import check_signed, header
from shared.sources import Hook


def verify_shopify(delivery: Delivery, hook: Hook) -> None:
    """Check ``X-Shopify-Hmac-Sha256``.

    Raises:
        Unauthorized: The delivery is not Shopify's.
    """
    presented = header(delivery, b"x-shopify-hmac-sha256")

    def sign(secret: bytes) -> list[bytes]:
        return [base64.b64encode(hmac.digest(secret, delivery.body, "sha256"))]

    check_signed(hook, [presented], sign)
