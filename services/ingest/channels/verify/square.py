"""Square: base64 of HMAC-SHA256 under the signature key, over the notification URL and the body.

Source: Square's "Verify and validate an event notification". It signs no time; a replay has the
same event id.
"""

import base64
import hmac

from services.ingest.channels.contract import Delivery
from services.ingest.channels.verify.addresses import addresses_of
from services.ingest.channels.verify.evidence import check_signed, header
from shared.sources import Hook


def verify_square(delivery: Delivery, hook: Hook) -> None:
    """Check ``X-Square-HmacSha256-Signature``.

    Raises:
        Unauthorized: The delivery is not Square's.
    """
    presented = header(delivery, b"x-square-hmacsha256-signature")
    signed = [address.encode() + delivery.body for address in addresses_of(delivery, hook)]

    def sign(secret: bytes) -> list[bytes]:
        return [base64.b64encode(hmac.digest(secret, one, "sha256")) for one in signed]

    check_signed(hook, [presented], sign)
