"""Bodies without a limit to their length, inflated as they come."""

import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Final

from shared.errors import Unreadable

_MAGIC: Final = b"\x1f\x8b"
_GZIP_FRAME: Final = 16 + zlib.MAX_WBITS
_PIECE: Final = 256 * 1024
"""Bytes that are inflated at once, however much one byte of the body may become."""


async def inflated_pieces(body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Yield *body* as it was before gzip, which its first two bytes tell; else as it is.

    Raises:
        Unreadable: The gzip is broken or cut off; code ``bad_encoding``.
    """
    start = b""
    gunzip: _Gunzip | None = None
    async for part in body:
        start += part
        if gunzip is None and start.startswith(_MAGIC):
            gunzip = _Gunzip()
        if gunzip is not None:
            for piece in gunzip.inflate(start):
                yield piece
            start = b""
        elif not _MAGIC.startswith(start):
            yield start
            start = b""
    if start:
        yield start
    if gunzip is not None:
        gunzip.finish()


class _Gunzip:
    """Inflates one member after the other."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP_FRAME)

    def inflate(self, data: bytes) -> Iterator[bytes]:
        """Yield what *data* becomes, in pieces of at most _PIECE bytes."""
        while data:
            if self._stream.eof:
                self._stream = zlib.decompressobj(_GZIP_FRAME)
            try:
                piece = self._stream.decompress(data, _PIECE)
            except zlib.error:
                raise _broken() from None
            if piece:
                yield piece
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail

    def finish(self) -> None:
        """Check that the last member came to its end."""
        if not self._stream.eof:
            raise _broken()


def _broken() -> Unreadable:
    return Unreadable("the gzip in the body is broken or cut off", code="bad_encoding")
