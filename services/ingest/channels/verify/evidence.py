"""What all signature schemes share: the secrets of a hook, comparing, and how old is too old; pure.

A scheme is a function from a Delivery and its Hook to nothing: it returns if the vendor has signed,
and raises Unauthorized with what was wrong if not. Signatures go over the bytes as sent, never over
what was decoded from them.
"""

import hmac
import re
from collections.abc import Callable, Iterable
from typing import Final

from services.ingest.channels.contract import Delivery
from shared.errors import Unauthorized
from shared.instants import MINUTE, SECOND, Instant, Micros
from shared.sources import Hook, Vendor

TOLERANCE: Final[Micros] = 10 * MINUTE
"""How old a delivery may be that says when it was signed."""

_SECONDS: Final = re.compile(rb"[0-9]{1,12}")


def hook_of(delivery: Delivery, vendor: Vendor) -> Hook:
    """Return how deliveries of *vendor* for this source are verified.

    Raises:
        Unauthorized: Nothing is set for it; code ``no_secret``.
    """
    hook = delivery.source.settings.hooks.get(vendor)
    if hook is None or not (hook.secrets or hook.topics):
        raise Unauthorized(
            f"no secret is set for {vendor} at the source {delivery.source.name}: "
            f"set settings.hooks.{vendor}",
            code="no_secret",
        )
    return hook


def header(delivery: Delivery, name: bytes) -> bytes:
    """Return a header that carries a signature, or a part of one.

    Raises:
        Unauthorized: It is not there; code ``no_signature``.
    """
    value = delivery.headers.get(name, b"").strip()
    if not value:
        raise Unauthorized(
            f"the header {name.decode()} is not there: is signing switched on at the vendor?",
            code="no_signature",
        )
    return value


def check_signed(
    hook: Hook, presented: Iterable[bytes], sign: Callable[[bytes], Iterable[bytes]]
) -> None:
    """Check that one of the *presented* signatures was made with one of the secrets.

    Args:
        hook: Has the secrets.
        presented: As they stand in the request.
        sign: Makes the signatures that a secret may have given, in the same spelling.

    Raises:
        Unauthorized: None was; code ``bad_signature``.
    """
    candidates = tuple(presented)
    expected = [one for secret in hook.secrets for one in sign(secret.encode())]
    if not any(hmac.compare_digest(one, other) for one in expected for other in candidates):
        raise bad_signature()


def bad_signature() -> Unauthorized:
    """Return the error for a delivery that nobody who has a secret has signed."""
    return Unauthorized(
        "the signature does not fit this body: is it the vendor's current secret, and did a proxy "
        "change the body or the address?",
        code="bad_signature",
    )


def check_age(signed_at: Instant, received_at: Instant, tolerance: Micros = TOLERANCE) -> None:
    """Check that a delivery was signed lately.

    Raises:
        Unauthorized: It is older than *tolerance*; code ``stale_signature``.
    """
    if received_at - signed_at > tolerance:
        raise Unauthorized(
            f"this was signed more than {tolerance // MINUTE} minutes ago: a replay, or a clock "
            "that is wrong",
            code="stale_signature",
        )


def seconds_in(text: bytes) -> Instant:
    """Read seconds since 1970, as vendors write the time of a signature.

    Raises:
        Unauthorized: *text* is no such time; code ``bad_signature``.
    """
    if _SECONDS.fullmatch(text) is None:
        raise bad_signature()
    return int(text) * SECOND
