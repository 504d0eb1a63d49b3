"""The embedded log: one SQLite file, for a deployment of one process.

It promises what Kafka promises (``port.py``) without a second server to run: an append is on the
disk before it returns, every record is read against its checksum, and offsets have no gaps.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from shared.clock import Clock, wall_clock
from shared.errors import LogUnavailable
from shared.instants import Instant
from shared.log.embedded_reader import EmbeddedReader
from shared.log.file_lock import locked
from shared.log.group_commit import EmbeddedWriter
from shared.log.port import Position
from shared.log.sqlite_file import LogFile, open_file
from shared.log.sqlite_writer import MIB, DiskRoom, SqliteWriter, free_bytes

TOPIC: Final = "journeyline.touchpoints"
PARTITIONS: Final = 4
RESERVE_BYTES: Final = 256 * MIB
QUEUE_BYTES: Final = 64 * MIB
POLL_BYTES: Final = 8 * MIB
APPEND_TIMEOUT_SECONDS: Final = 10.0

_Answer = TypeVar("_Answer")


class EmbeddedLog:
    """An open log file; for the tasks of the event loop that opened it.

    Owns the writer and every reader it gave out, and closes them.
    """

    def __init__(
        self,
        file: LogFile,
        sqlite_writer: SqliteWriter,
        thread: ThreadPoolExecutor,
        *,
        queue_bytes: int,
        append_timeout_seconds: float,
    ) -> None:
        self._file = file
        self._sqlite_writer = sqlite_writer
        self._thread = thread
        self._readers: list[EmbeddedReader] = []
        self._closed = False
        self.writer = EmbeddedWriter(
            sqlite_writer,
            thread,
            queue_bytes=queue_bytes,
            append_timeout_seconds=append_timeout_seconds,
            on_commit=self._wake_readers,
        )

    @property
    def file(self) -> LogFile:
        """The file's path, topic, id and number of partitions."""
        return self._file

    def reader(self, *, poll_bytes: int = POLL_BYTES) -> EmbeddedReader:
        """Return a new reader; no poll of it reads on once it holds *poll_bytes*.

        Raises:
            LogUnavailable: the log is closed.
        """
        self._check_open()
        self._readers = [reader for reader in self._readers if not reader.closed]
        reader = EmbeddedReader(self._file, max_bytes=poll_bytes)
        self._readers.append(reader)
        return reader

    async def trim(self, before: Mapping[int, int], older_than: Instant) -> int:
        """Delete records that nobody needs any more, in batches between which appends get in.

        Args:
            before: For each partition to trim, the offset from which on all is kept: how far it
                is classified.
            older_than: Records appended at or after this instant are kept, and all behind one.

        Returns:
            How many records were deleted.

        Raises:
            LogUnavailable: the file cannot be written, or the log is closed.
        """
        deleted = 0
        for partition, offset in before.items():
            trim = partial(self._sqlite_writer.trim, partition, offset, older_than)
            while batch := await self._run(trim):
                deleted += batch
        return deleted

    async def overwrite(self, position: Position, value: bytes, *, key: bytes = b"") -> bool:
        """Put *value* in place of a record's payload, and *key* in place of its key.

        The key goes too unless it is given, for it names the person whose record is erased. The
        record keeps its place, so offsets still have no gaps. Old bytes may be in the files until
        the next ``checkpoint``.

        Returns:
            False if this log does not hold that record (any more).

        Raises:
            LogUnavailable: the file cannot be written, or the log is closed.
        """
        if position.topic != self._file.topic:
            return False
        return await self._run(
            partial(self._sqlite_writer.overwrite, position.partition, position.offset, key, value)
        )

    async def checkpoint(self) -> None:
        """Leave nothing in the files of what was overwritten or trimmed before.

        Raises:
            LogUnavailable: a reader held on to it for seconds, the file cannot be written, or the
                log is closed. Old bytes may still be there: call again.
        """
        await self._run(self._sqlite_writer.checkpoint)

    async def aclose(self) -> None:
        """Finish the appends that wait, then close everything; closing again changes nothing."""
        if self._closed:
            return
        self._closed = True
        await self.writer.finish()
        for reader in self._readers:
            await reader.close()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._sqlite_writer.close)

    def _wake_readers(self) -> None:
        for reader in self._readers:
            reader.wake()

    def _check_open(self) -> None:
        if self._closed:
            raise LogUnavailable("the log is closed")

    async def _run(self, work: Callable[[], _Answer]) -> _Answer:
        self._check_open()
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


@asynccontextmanager
async def open_embedded_log(
    path: Path,
    *,
    topic: str = TOPIC,
    partitions: int = PARTITIONS,
    clock: Clock = wall_clock,
    reserve_bytes: int = RESERVE_BYTES,
    disk_room: DiskRoom = free_bytes,
    queue_bytes: int = QUEUE_BYTES,
    append_timeout_seconds: float = APPEND_TIMEOUT_SECONDS,
) -> AsyncIterator[EmbeddedLog]:
    """Open the log file *path*, or make it; its folder exists.

    Args:
        path: The file; ``-wal``, ``-shm`` and ``.lock`` files lie beside it.
        topic: The name that positions carry; what the file was made with.
        partitions: How many a new file gets, 1-1024; one that is there keeps its own number.
        clock: Gives the time of each record; called in the thread that writes.
        reserve_bytes: Appends are refused while less is free on the disk and in the file.
        disk_room: Returns how many bytes the disk of a folder has free.
        queue_bytes: How much may wait to be written.
        append_timeout_seconds: How long an append waits to become durable.

    Raises:
        SetupError: the file is open elsewhere, damaged, or not such a log; says what to do.
    """
    loop = asyncio.get_running_loop()
    with locked(path), ThreadPoolExecutor(1, thread_name_prefix="log-writer") as thread:
        opening = partial(open_file, path, topic=topic, partitions=partitions)
        file = await loop.run_in_executor(thread, opening)
        writing = partial(
            SqliteWriter, file, clock=clock, reserve_bytes=reserve_bytes, disk_room=disk_room
        )
        log = EmbeddedLog(
            file,
            await loop.run_in_executor(thread, writing),
            thread,
            queue_bytes=queue_bytes,
            append_timeout_seconds=append_timeout_seconds,
        )
        try:
            yield log
        finally:
            await log.aclose()
