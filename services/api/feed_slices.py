"""Slices of the feed that many streams read at once: each is read and written out once for all.

Streams that wait at the end of the feed all ask for the same slice when something is published.
"""

import asyncio
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from services.api.cursors import Cursors
from services.api.databases import Databases
from services.api.feed import FeedItem, FeedSlice, ToldRetraction, read_slice, seal
from services.api.readers.feed import RETRACTION, TRANSITION

SLICE: Final = 100
"""Items read at once; what a reader may have waiting for it here."""
SHARED_SECONDS: Final = 0.2

_encoder: Final = msgspec.json.Encoder()


@dataclass(slots=True)
class SharedSlice:
    """A slice as several streams have it; the text is made for the first one that sends it."""

    slice: FeedSlice
    _text: bytes | None = None

    def text(self, cursors: Cursors) -> bytes:
        """Return its items as events; nothing if there are none."""
        if self._text is None:
            self._text = b"".join(_event(item, cursors) for item in self.slice.items)
        return self._text


class _Read(NamedTuple):
    begun_at: float
    slice: asyncio.Task[SharedSlice]


class SharedSlices:
    """What the streams of one process read.

    Nothing is shared for longer than SHARED_SECONDS: what was erased meanwhile is sent to nobody.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._reads: dict[int, _Read] = {}

    async def behind(self, seq: int) -> SharedSlice:
        """Return what came behind *seq* by a moment ago, or lately enough for a stream.

        It is read to its end even if the reader goes away meanwhile: a connection that is given
        back in the middle of a statement would have to be closed.
        """
        now = asyncio.get_running_loop().time()
        late = [key for key, read in self._reads.items() if now - read.begun_at > SHARED_SECONDS]
        for key in late:
            del self._reads[key]
        read = self._reads.get(seq)
        if read is None or _failed(read.slice):
            read = self._reads[seq] = _Read(now, asyncio.ensure_future(self._read(seq)))
        return await asyncio.shield(read.slice)

    async def _read(self, seq: int) -> SharedSlice:
        async with self._databases.reading() as connection:
            return SharedSlice(await read_slice(connection, seq, SLICE))


def _failed(read: asyncio.Task[SharedSlice]) -> bool:
    return read.done() and (read.cancelled() or read.exception() is not None)


def _event(item: FeedItem, cursors: Cursors) -> bytes:
    name = RETRACTION if isinstance(item, ToldRetraction) else TRANSITION
    head = f"id: {seal(cursors, item.seq)}\nevent: {name}\ndata: ".encode()
    return head + _encoder.encode(item) + b"\n\n"
