"""Twilio: base64 of an HMAC under the auth token, over the address and the sorted parameters.

Source: Twilio's "Validating requests" and ``twilio.request_validator`` 9.13. The address is the one
that was entered at Twilio, which signs it with or without its port. Where the body is no form,
``bodySHA256`` in the query string, which is part of the address, stands for it.
"""

import base64
import hashlib
import hmac
from typing import Final
from urllib.parse import parse_qsl

from services.ingest.channels.contract import Delivery
from services.ingest.channels.payloads import form_in
from services.ingest.channels.verify.addresses import addresses_of
from services.ingest.channels.verify.evidence import bad_signature, check_signed, header
from shared.errors import Unreadable
from shared.sources import Hook

SIGNATURE: Final = b"x-twilio-signature"
_SETTINGS: Final = b"x-twilio-webhooks-signature-settings"
_ALGORITHMS: Final = {b"HMAC_SHA1": "sha1", b"HMAC_SHA256": "sha256"}
_BODY_DIGEST: Final = "bodySHA256"


def verify_twilio(delivery: Delivery, hook: Hook) -> None:
    """Check ``X-Twilio-Signature``.

    Raises:
        Unauthorized: The delivery is not Twilio's.
    """
    presented = header(delivery, SIGNATURE)
    algorithm = _algorithm(delivery.headers.get(_SETTINGS, b""))
    parameters = _parameters(delivery)
    signed = [address.encode() + parameters for address in addresses_of(delivery, hook)]

    def signatures(secret: bytes) -> list[bytes]:
        return [base64.b64encode(hmac.digest(secret, one, algorithm)) for one in signed]

    check_signed(hook, [presented], signatures)


def _algorithm(settings: bytes) -> str:
    """Return the hash that the settings name; without any it is SHA-1, that of auth tokens."""
    named = b"HMAC_SHA1"
    for part in settings.split(b","):
        name, _, value = part.partition(b"=")
        if name.strip() == b"algorithm" and value.strip():
            named = value.strip().upper()
    if named not in _ALGORITHMS:
        raise bad_signature()
    return _ALGORITHMS[named]


def _parameters(delivery: Delivery) -> bytes:
    """Return what is signed of the body: the form's sorted parameters, or nothing.

    Raises:
        Unauthorized: The digest in the query string is not the body's.
    """
    query = dict(parse_qsl(delivery.query.decode("latin-1")))
    if _BODY_DIGEST in query:
        digest = hashlib.sha256(delivery.body).hexdigest()
        if not hmac.compare_digest(digest.encode(), query[_BODY_DIGEST].encode()):
            raise bad_signature()
        return b""
    try:
        pairs = form_in(delivery.body)
    except Unreadable:
        raise bad_signature() from None
    return "".join(name + value for name, value in sorted(set(pairs))).encode("utf-8", "replace")
