"""Cursors: where a list goes on, signed and opaque.

A cursor belongs to the question it was given for. Its signature covers that question, so a cursor
that was changed, invented, or taken to another list is refused instead of read.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from shared.errors import Unreadable

Mark = TypeVar("Mark", bound=msgspec.Struct)

MAX_CHARACTERS: Final = 4_096
_SIGNATURE_BYTES: Final = 16


class Cursors:
    """Writes and reads cursors under one secret, which all processes of the API share."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def seal(self, mark: msgspec.Struct, question: Sequence[object]) -> str:
        """Return *mark* as the cursor of *question*.

        Args:
            mark: What the next page needs to know.
            question: Everything that a next page must have in common with this one, as JSON
                values; its first member names the list.
        """
        payload = msgspec.msgpack.encode(mark)
        return _text(self._signature(payload, question) + payload)

    def open(self, cursor: str, question: Sequence[object], kind: type[Mark]) -> Mark:
        """Return the mark that ``seal`` put into *cursor*.

        Raises:
            Unreadable: *cursor* is none of ours, or was given for another question.
        """
        data = _bytes(cursor)
        signature, payload = data[:_SIGNATURE_BYTES], data[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(payload, question)):
            raise _refused()
        try:
            return msgspec.msgpack.decode(payload, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError):  # signed before an update of ours
            raise _refused() from None

    def _signature(self, payload: bytes, question: Sequence[object]) -> bytes:
        asked = msgspec.json.encode(question)
        message = len(asked).to_bytes(4) + asked + payload
        return hmac.digest(self._secret, message, hashlib.sha256)[:_SIGNATURE_BYTES]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(cursor: str) -> bytes:
    """Decode *cursor*; each sequence of bytes has one spelling only."""
    if len(cursor) > MAX_CHARACTERS or not cursor.isascii():
        raise _refused()
    try:
        data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except binascii.Error:
        raise _refused() from None
    if _text(data) != cursor:
        raise _refused()
    return data


def _refused() -> Unreadable:
    return Unreadable(
        "cursor is not one that this list gave for these parameters: "
        "repeat the request as `next` or the Link header has it, or begin without cursor",
        code="bad_cursor",
    )
