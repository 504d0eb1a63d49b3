"""The reader of the embedded log: waits on the event loop, reads in a thread of its own."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from shared.errors import LogUnavailable
from shared.log.bounds import Bounds, check_held
from shared.log.port import LogRecord
from shared.log.sqlite_file import LogFile
from shared.log.sqlite_reader import SqliteReader

_Answer = TypeVar("_Answer")


class EmbeddedReader:
    """A log reader that is given all partitions; for one task.

    Polls share their records evenly between the partitions that have any, so that a busy one does
    not keep the others waiting. A poll that begins before what ``EmbeddedLog.trim`` left raises
    ``OffsetOutOfRange``, as seeking there would.
    """

    def __init__(self, file: LogFile, *, max_bytes: int) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log-reader")
        self._reader: SqliteReader | None = None  # of that thread, made at its first work
        self._next_offsets: dict[int, int] = {}
        self._paused: frozenset[int] = frozenset()
        self._turns = deque(range(file.partitions))
        self._appended = asyncio.Event()
        self._closed = False

    @property
    def topic(self) -> str:
        """See ``LogReader.topic``."""
        return self._file.topic

    @property
    def log_id(self) -> str:
        """See ``LogReader.log_id``."""
        return self._file.log_id

    @property
    def assigned(self) -> frozenset[int]:
        """All partitions: nobody else reads this log."""
        return frozenset(range(self._file.partitions))

    @property
    def closed(self) -> bool:
        """Whether this reader was closed."""
        return self._closed

    async def seek(self, partition: int, offset: int) -> None:
        """See ``LogReader.seek``."""
        check_held(partition, offset, await self._bounds())
        self._next_offsets[partition] = offset

    async def poll(
        self, *, max_records: int, timeout_seconds: float
    ) -> Mapping[int, Sequence[LogRecord]]:
        """See ``LogReader.poll``."""
        now = asyncio.get_running_loop().time
        deadline = now() + timeout_seconds
        while True:
            self._appended.clear()
            fetched = await self._fetch(max_records)
            if fetched or now() >= deadline:
                return fetched
            try:
                async with asyncio.timeout_at(deadline):
                    await self._appended.wait()
            except TimeoutError:
                return {}

    async def pause(self, partitions: frozenset[int]) -> None:
        """See ``LogReader.pause``."""
        self._paused = partitions

    async def position(self, partition: int) -> int:
        """See ``LogReader.position``; this log has no gaps."""
        return self._next_offsets[partition]

    async def start_offsets(self) -> Mapping[int, int]:
        """See ``LogReader.start_offsets``."""
        return {partition: held.first for partition, held in (await self._bounds()).items()}

    async def end_offsets(self) -> Mapping[int, int]:
        """See ``LogReader.end_offsets``."""
        return {partition: held.next for partition, held in (await self._bounds()).items()}

    async def reached(self, partition: int, offset: int) -> None:
        """See ``LogReader.reached``; nothing but the classifier asks about this log."""

    async def close(self) -> None:
        """See ``LogReader.close``; closing again changes nothing."""
        if self._closed:
            return
        self._closed = True
        self.wake()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close_reader)
        self._thread.shutdown()

    def wake(self) -> None:
        """Let a waiting poll look again; called on the event loop."""
        self._appended.set()

    async def _fetch(self, max_records: int) -> Mapping[int, Sequence[LogRecord]]:
        self._turns.rotate(-1)
        wanted = {
            partition: self._next_offsets[partition]
            for partition in self._turns
            if partition in self._next_offsets and partition not in self._paused
        }
        if self._closed:
            raise LogUnavailable("the log is closed")
        if not wanted:
            return {}
        fetched = await self._run(lambda reader: reader.fetch(wanted, max_records))
        for partition, records in fetched.items():
            self._next_offsets[partition] = records[-1].offset + 1
        return fetched

    async def _bounds(self) -> Mapping[int, Bounds]:
        return await self._run(SqliteReader.bounds)

    async def _run(self, work: Callable[[SqliteReader], _Answer]) -> _Answer:
        if self._closed:
            raise LogUnavailable("the log is closed")
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: work(self._opened())
        )

    def _opened(self) -> SqliteReader:
        if self._reader is None:
            self._reader = SqliteReader(self._file, max_bytes=self._max_bytes)
        return self._reader

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
