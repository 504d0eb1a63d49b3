"""Amazon SNS: RSA over the named members of a message, under a certificate that Amazon serves.

Source: Amazon SNS, "Verifying the signatures of Amazon SNS messages". Version 1 hashes with SHA-1,
version 2 with SHA-256. A valid signature says only that some topic of somebody's sent this; whose
topics may is the hook's ``topics``.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.x509 import load_pem_x509_certificate

from services.ingest.channels.contract import Delivery
from services.ingest.channels.verify.evidence import bad_signature, check_age
from shared.errors import Unauthorized
from shared.instants import parse_rfc3339
from shared.sources import Hook

_HOST: Final = re.compile(r"sns\.[a-z0-9-]{1,40}\.amazonaws\.com(\.cn)?", re.ASCII)
_HASHES: Final[dict[str, HashAlgorithm]] = {
    "1": SHA1(),  # noqa: S303 - version 1 of the signature is defined with it
    "2": SHA256(),
}
_NOTIFICATION: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION: Final = (
    "Message",
    "MessageId",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
)
NOTIFICATION: Final = "Notification"
SUBSCRIPTION: Final = "SubscriptionConfirmation"


class SnsMessage(msgspec.Struct, frozen=True, rename="pascal"):
    """The members of a message that count, named in Python's way."""

    type: str
    message_id: str
    topic_arn: str
    message: str
    timestamp: str
    signature: str
    signing_cert_url: str = msgspec.field(name="SigningCertURL")
    signature_version: str = "1"
    subject: str | None = None
    subscribe_url: str | None = msgspec.field(name="SubscribeURL", default=None)
    token: str | None = None


_decoder: Final = msgspec.json.Decoder(SnsMessage)


def sns_message(body: bytes) -> SnsMessage:
    """Read a message, which nobody has vouched for yet.

    Raises:
        Unauthorized: *body* is none; code ``no_signature``.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unauthorized(
            "the body is no signed message of Amazon SNS; raw message delivery must be off",
            code="no_signature",
        ) from None


def check_topic(message: SnsMessage, hook: Hook) -> None:
    """Check that the topic may deliver here; this needs no signature, and comes before it.

    Raises:
        Unauthorized: It may not; code ``topic_not_allowed``.
    """
    if message.topic_arn not in (*hook.topics, *hook.secrets):
        raise Unauthorized(
            "this topic is not among settings.hooks.ses.topics of the source",
            code="topic_not_allowed",
        )


def amazons(address: str | None) -> str:
    """Return *address* if it is one of Amazon SNS's own, over https.

    Raises:
        Unauthorized: It is none; code ``foreign_address``.
    """
    try:
        parts = urlsplit(address or "")
        is_amazons = parts.scheme == "https" and _HOST.fullmatch(parts.netloc) is not None
    except ValueError:
        is_amazons = False
    if not is_amazons or address is None or not address.isprintable() or " " in address:
        raise Unauthorized(
            "SigningCertURL and SubscribeURL must be https addresses of sns.REGION.amazonaws.com",
            code="foreign_address",
        )
    return address


def verify_sns(message: SnsMessage, certificate: bytes, delivery: Delivery) -> None:
    """Check the signature of *message* with the *certificate*, in PEM, from its address.

    Raises:
        Unauthorized: It is not Amazon's, or it is old.
    """
    key, algorithm = _public_key(certificate), _HASHES.get(message.signature_version)
    if key is None or algorithm is None:
        raise bad_signature()
    try:
        signature = base64.b64decode(message.signature, validate=True)
        key.verify(signature, _signed(message), PKCS1v15(), algorithm)
        signed_at = parse_rfc3339(message.timestamp)
    except (InvalidSignature, binascii.Error, ValueError):
        raise bad_signature() from None
    check_age(signed_at, delivery.received_at)


def _signed(message: SnsMessage) -> bytes:
    names = _NOTIFICATION if message.type == NOTIFICATION else _CONFIRMATION
    values = {field.encode_name: getattr(message, field.name) for field in _FIELDS}
    return "".join(_lines(names, values)).encode("utf-8", "surrogatepass")


def _lines(names: Iterable[str], values: dict[str, str | None]) -> Iterable[str]:
    for name in names:
        if (value := values[name]) is not None:
            yield f"{name}\n{value}\n"


_FIELDS: Final = msgspec.structs.fields(SnsMessage)


@lru_cache(64)
def _public_key(certificate: bytes) -> RSAPublicKey | None:
    try:
        key = load_pem_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) else None
