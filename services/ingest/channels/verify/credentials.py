"""Vendors that sign nothing: a secret in the address, or in a header that one may name there.

Postmark, Twilio Event Streams and EventBridge send what they were given: ``user:password`` of an
address as Basic authentication, a bearer token, or an API key. A secret of the hook is the
password, or ``user:password`` where the user counts too.
"""

import base64
import binascii
from collections.abc import Iterator

from services.ingest.channels.contract import Delivery
from services.ingest.channels.verify.evidence import check_signed
from shared.errors import Unauthorized
from shared.sources import Hook


def verify_credentials(delivery: Delivery, hook: Hook) -> None:
    """Check ``Authorization`` or ``X-Api-Key``.

    Raises:
        Unauthorized: There is none, or it is none of the secrets.
    """
    presented = list(_presented(delivery))
    if not presented:
        raise Unauthorized(
            "the request carries no credentials: put them into the address at the vendor, as in "
            "https://user:SECRET@host/, or into the header X-Api-Key",
            code="no_signature",
        )
    check_signed(hook, presented, lambda secret: [secret])


def _presented(delivery: Delivery) -> Iterator[bytes]:
    scheme, _, rest = delivery.headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"basic":
        yield from _basic(rest.strip())
    elif scheme.lower() == b"bearer":
        yield rest.strip()
    if key := delivery.headers.get(b"x-api-key", b"").strip():
        yield key


def _basic(encoded: bytes) -> Iterator[bytes]:
    try:
        both = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return
    yield both
    yield both.partition(b":")[2]
