"""Keys: what they look like, how a request presents one, and what its holder may do.

A key reads ``wk_KKKKKKKK_`` or ``sk_KKKKKKKK_`` (its id), then 43 random characters and 6 of a
CRC-32 of all before it. The prefix lets secret scanners find leaked keys; the checksum tells a
mistyped key without asking the database. Only a digest of the whole text is ever stored.
"""

import base64
import binascii
import hashlib
import hmac
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from shared.errors import Forbidden

BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ID_CHARACTERS: Final = 8
SECRET_CHARACTERS: Final = 43
"""256 bits of chance, and a little more than base62 needs for them."""
CHECKSUM_CHARACTERS: Final = 6

_ID: Final = re.compile(rf"[0-9A-Za-z]{{{ID_CHARACTERS}}}", re.ASCII)
_KEY: Final = re.compile(
    rf"(?:wk|sk)_[0-9A-Za-z]{{{ID_CHARACTERS}}}_"
    rf"[0-9A-Za-z]{{{SECRET_CHARACTERS + CHECKSUM_CHARACTERS}}}",
    re.ASCII,
)

RandomBase62: TypeAlias = Callable[[int], str]
"""Returns as many unpredictable characters of BASE62 as asked for."""


class KeyKind(StrEnum):
    """What a key is for."""

    WRITE = "write"
    """May be public; can only post touchpoints of one source."""
    SECRET = "secret"  # noqa: S105 - the name of a kind
    """Belongs on servers only; has scopes."""


class Scope(StrEnum):
    """A right that a secret key can have; none implies another."""

    TOUCHPOINTS_WRITE = "touchpoints:write"
    CUSTOMERS_READ = "customers:read"
    CUSTOMERS_ERASE = "customers:erase"
    MODELS_WRITE = "models:write"
    QUARANTINE_WRITE = "quarantine:write"
    ADMIN = "admin"


WRITE_KEY_SCOPES: Final = frozenset({Scope.TOUCHPOINTS_WRITE})
"""What every write key may do, for its own source alone."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request comes from: the holder of a key that is in force.

    ``source`` is the source of a write key; None for a secret key.
    """

    kind: KeyKind
    key_id: str
    source: str | None
    scopes: frozenset[Scope]

    @property
    def actor(self) -> str:
        """What the audit calls the holder."""
        return f"key:{self.key_id}"

    def require(self, *any_of: Scope) -> None:
        """Check that the key has one of the scopes *any_of*.

        Raises:
            Forbidden: It has none of them.
        """
        if self.scopes.isdisjoint(any_of):
            needed = " or ".join(any_of)
            raise Forbidden(f"this needs a key with the scope {needed}", code="missing_scope")

    def refuse_foreign_page(self, *, origin: str | None, host: str | None) -> None:
        """Check that no other site's page holds a secret key.

        Args:
            origin: The ``Origin`` header, which browsers add to requests of pages.
            host: The ``Host`` header. A proxy may end TLS, so schemes are not compared.

        Raises:
            Forbidden: A secret key came from a page of another host; code
                ``secret_key_in_browser``.
        """
        if self.kind is KeyKind.WRITE or origin is None:
            return
        if host is None or _host_of(origin) != host.lower():
            raise Forbidden(
                "a secret key must not be used in a web page: use a write key there, and revoke "
                "this one, which everybody who opens the page can read",
                code="secret_key_in_browser",
            )


class MintedKey(NamedTuple):
    """A new key: its id, which may be shown, and its text, which is shown once."""

    id: str
    text: str

    def __repr__(self) -> str:
        return f"MintedKey({self.id}, …)"


def mint_key(kind: KeyKind, random_base62: RandomBase62) -> MintedKey:
    """Make a key of *kind*; nothing but *random_base62* keeps others from guessing it."""
    key_id = random_base62(ID_CHARACTERS)
    prefix = "wk" if kind is KeyKind.WRITE else "sk"
    body = f"{prefix}_{key_id}_{random_base62(SECRET_CHARACTERS)}"
    return MintedKey(key_id, body + _checksum(body))


def is_key(text: str) -> bool:
    """Tell whether *text* has the shape of a key and the checksum is right."""
    return _KEY.fullmatch(text) is not None and text.endswith(
        _checksum(text[:-CHECKSUM_CHARACTERS])
    )


def is_key_id(text: str) -> bool:
    """Tell whether *text* has the shape of a key's id."""
    return _ID.fullmatch(text) is not None


def key_digest(pepper: bytes, key: str) -> bytes:
    """Return HMAC-SHA256 of *key* under *pepper*, 32 bytes: what is stored, and looked up."""
    return hmac.digest(pepper, key.encode(), hashlib.sha256)


def presented_key(
    authorization: bytes | None, write_key: bytes | None, *further: str | None
) -> str | None:
    """Return the key that a request presents; whether it exists is another question.

    ``Authorization: Bearer KEY`` and ``Basic base64(KEY:)`` go before ``X-Write-Key``, except that
    a token that is plainly none of ours (some SDKs send an OAuth token as well) stands back behind
    one that is.

    Args:
        authorization: The ``Authorization`` header.
        write_key: The ``X-Write-Key`` header.
        further: Where else it may stand, in the order in which it counts.
    """
    found = [_in_authorization(authorization), _text(write_key), *further]
    candidates = [key for key in found if key]
    for key in candidates:
        if key.startswith(("wk_", "sk_")):
            return key
    return candidates[0] if candidates else None


def _in_authorization(header: bytes | None) -> str | None:
    if header is None:
        return None
    scheme, _, credentials = header.strip().partition(b" ")
    match scheme.lower():
        case b"bearer":
            return _text(credentials)
        case b"basic":
            return _user_of(credentials)
        case _:
            return None


def _user_of(credentials: bytes) -> str | None:
    """Return the user name; the colon behind it is optional, as some SDKs leave it out."""
    try:
        decoded = base64.b64decode(credentials.strip(), validate=True)
    except binascii.Error:
        return None
    return _text(decoded.partition(b":")[0])


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.strip().decode("utf-8", "replace")


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = ""
    for _ in range(CHECKSUM_CHARACTERS):
        number, digit = divmod(number, len(BASE62))
        digits = BASE62[digit] + digits
    return digits


def _host_of(origin: str) -> str | None:
    """Return host and port of *origin*, in lower case; None of ``null`` and the like."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None
