"""Stripe: ``t=SECONDS,v1=HEX[,v1=HEX]``, HMAC-SHA256 over ``SECONDS.BODY``.

Source: Stripe's "Verify webhook signatures manually". While a secret is rolled, there are two
``v1``; other schemes stand beside it in test mode and are not looked at.
"""

import hmac
from typing import Final

from services.ingest.channels.contract import Delivery
from services.ingest.channels.verify.evidence import (
    bad_signature,
    check_age,
    check_signed,
    header,
    seconds_in,
)
from shared.instants import MINUTE, Micros
from shared.sources import Hook

STRIPE_TOLERANCE: Final[Micros] = 5 * MINUTE
"""That of Stripe's own libraries."""


def verify_stripe(delivery: Delivery, hook: Hook) -> None:
    """Check ``Stripe-Signature``.

    Raises:
        Unauthorized: The delivery is not Stripe's, or it is old.
    """
    parts = [
        part.strip().partition(b"=") for part in header(delivery, b"stripe-signature").split(b",")
    ]
    times = [value for name, _, value in parts if name == b"t"]
    presented = [value for name, _, value in parts if name == b"v1"]
    if len(times) != 1:
        raise bad_signature()
    signed = times[0] + b"." + delivery.body

    def sign(secret: bytes) -> list[bytes]:
        return [hmac.digest(secret, signed, "sha256").hex().encode()]

    check_signed(hook, presented, sign)
    check_age(seconds_in(times[0]), delivery.received_at, STRIPE_TOLERANCE)
