"""What a client may do to a connection, and whether a request's head keeps to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from shared.errors import JourneylineError, TooLarge, Unreadable
from shared.http.asgi import MAX_BODY_BYTES
from shared.http.problems import HeadTooLarge

_HEADER_OVERHEAD: Final = 4
"""Bytes around a header's name and value on the wire."""
_FRAMING: Final = frozenset({b"host", b"content-length", b"transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may take; times are seconds.

    Attributes:
        head_bytes: Request line and headers together.
        head_seconds: From a head's first byte, or from the start of the connection, to its end.
        body_idle_seconds: Without a byte of the body.
        body_seconds: For a body in all, except that of an import.
        body_bytes: Of a body, as its length is announced, except that of an import.
        imports: Paths whose bodies may have any length and take any time.
        linger_seconds: How long what a refused client still sends is thrown away, so that it gets
            to read the answer instead of finding the connection reset.
        keep_alive_seconds: How long a connection may stay open without a request; longer than
            usual proxies keep theirs, so that they never use one that is just being closed.
    """

    head_bytes: int = 8 * 1024
    head_seconds: float = 10
    body_idle_seconds: float = 30
    body_seconds: float = 30
    body_bytes: int = MAX_BODY_BYTES
    imports: frozenset[bytes] = frozenset({b"/v1/imports"})
    linger_seconds: float = 2
    keep_alive_seconds: int = 75


def head_too_large(limits: Limits) -> HeadTooLarge:
    """Return what a head over its limit is refused with."""
    return HeadTooLarge(f"request line and headers have more than {limits.head_bytes:,} bytes")


def framing_of(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers that say whose a request is and where it ends; names in lower case."""
    return [field for field in headers if field[0] in _FRAMING]


def size_of_head(url: bytes, headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Return how many bytes a head has on the wire, its method and version left out."""
    return len(url) + sum(len(name) + len(value) + _HEADER_OVERHEAD for name, value in headers)


def refusal_of_framing(
    limits: Limits, url: bytes, framing: Sequence[tuple[bytes, bytes]], http_version: str
) -> JourneylineError | None:
    """Return why a request must not be carried out; None if it is clear where it ends.

    A body whose end two readers see in different places hides a second request (RFC 9112, section
    6.3): a head has one Content-Length, or chunked as its one Transfer-Encoding, never both. More
    than one Content-Length is the parser's to refuse.

    Args:
        limits: What the request must keep to.
        url: As sent.
        framing: What ``framing_of`` found.
        http_version: Such as ``1.1``.
    """
    lengths = [value for name, value in framing if name == b"content-length"]
    encodings = [value for name, value in framing if name == b"transfer-encoding"]
    if len(framing) - len(lengths) - len(encodings) > 1:
        return _ambiguous("more than one Host")
    if encodings and (lengths or http_version != "1.1" or not _is_chunked(encodings)):
        return _ambiguous("a Transfer-Encoding that does not go with the rest of the request")
    return _refusal_of_length(limits, url, lengths)


def body_header(framing: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the header that says how long the body is, as a line; empty without a body."""
    for name, value in framing:
        if name == b"transfer-encoding" or (name == b"content-length" and int(value)):
            return name + b": " + value + b"\r\n"
    return b""


def is_import(limits: Limits, url: bytes) -> bool:
    """Tell whether *url* is one whose body may have any length."""
    return url.partition(b"?")[0] in limits.imports


def _refusal_of_length(
    limits: Limits, url: bytes, lengths: Sequence[bytes]
) -> JourneylineError | None:
    if lengths and int(lengths[0]) > limits.body_bytes and not is_import(limits, url):
        message = f"the body has more than {limits.body_bytes:,} bytes: send it in parts"
        return TooLarge(message, code="body_too_large")
    return None


def _is_chunked(encodings: Sequence[bytes]) -> bool:
    return [encoding.strip().lower() for encoding in encodings] == [b"chunked"]


def _ambiguous(what: str) -> Unreadable:
    return Unreadable(f"the request has {what}", code="bad_http")
