"""Group commit: appends of many tasks, written by one thread in as few transactions as it takes.

An append on an idle log is written at once. While a transaction runs, appends gather, and all of
them go into the next one; so nobody ever waits for a timer, and the busier the log, the larger
the groups.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from shared.errors import LogUnavailable, Overloaded, TooLarge
from shared.log.port import Entry, Position
from shared.log.sqlite_writer import MIB, SqliteWriter

ENTRY_BYTES: Final = 128
"""What an entry costs in memory beside its key and value, roughly."""

_GROUP_BYTES: Final = 4 * MIB
_CHECK_SECONDS: Final = 2.0


class _Append:
    """One call that waits for its entries to become durable."""

    __slots__ = ("done", "entries", "held_bytes")

    def __init__(
        self, entries: Sequence[Entry], held_bytes: int, done: "asyncio.Future[list[Position]]"
    ) -> None:
        self.entries = entries
        self.held_bytes = held_bytes
        self.done = done


class EmbeddedWriter:
    """The log writer of the embedded log; for the tasks of one event loop.

    Args:
        writer: Used in *thread* only.
        thread: The one thread that writes.
        queue_bytes: How much may wait to be written.
        append_timeout_seconds: How long an append waits to become durable.
        on_commit: Called on the event loop after each group that was written.
    """

    def __init__(
        self,
        writer: SqliteWriter,
        thread: ThreadPoolExecutor,
        *,
        queue_bytes: int,
        append_timeout_seconds: float,
        on_commit: Callable[[], None],
    ) -> None:
        self._writer = writer
        self._thread = thread
        self._queue_bytes = queue_bytes
        self._append_timeout_seconds = append_timeout_seconds
        self._on_commit = on_commit
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Append] = deque()
        self._group: list[_Append] = []
        self._held_bytes = 0
        self._committing: asyncio.Task[None] | None = None
        self._closed = False

    async def append(self, entries: Sequence[Entry]) -> Sequence[Position]:
        """See ``LogWriter.append``; entries of one call become durable together or not at all.

        Raises:
            Overloaded: too much waits to be written already.
            TooLarge: the entries are more than may ever wait.
        """
        if self._closed:
            raise LogUnavailable("the log is closed")
        if not entries:
            return ()
        append = _Append(entries, _held_bytes(entries), self._loop.create_future())
        self._take_in(append)
        try:
            async with asyncio.timeout(self._append_timeout_seconds):
                return await append.done
        except TimeoutError as error:
            raise LogUnavailable(
                f"the disk did not confirm within {self._append_timeout_seconds:g} s"
            ) from error

    async def check(self) -> str | None:
        """See ``LogWriter.check``."""
        if self._closed:
            return "the log is closed"
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await self._loop.run_in_executor(self._thread, self._writer.probe)
        except TimeoutError:
            return f"the disk has not answered for {_CHECK_SECONDS:g} s"
        except LogUnavailable as error:
            return error.message
        return None

    async def finish(self) -> None:
        """Take no more appends, and return when those that wait are settled."""
        self._closed = True
        while self._committing is not None:
            await asyncio.wait([self._committing])

    def _take_in(self, append: _Append) -> None:
        if append.held_bytes > self._queue_bytes:
            raise TooLarge(
                f"an append of {append.held_bytes} bytes; at most {self._queue_bytes} fit"
            )
        if self._held_bytes + append.held_bytes > self._queue_bytes:
            raise Overloaded(f"{self._held_bytes // MIB} MiB wait to be written to the log")
        self._held_bytes += append.held_bytes
        self._waiting.append(append)
        if self._committing is None:
            self._start()

    def _start(self) -> None:
        self._committing = self._loop.create_task(self._commit_groups())
        self._committing.add_done_callback(self._ended)

    async def _commit_groups(self) -> None:
        while self._waiting:
            self._group = self._next_group()
            if self._group:
                await self._commit(self._group)
            await asyncio.sleep(0)  # whom this group woke may join the next one

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._committing = None
        if task.cancelled() or task.exception() is not None:
            # A stopped event loop or a defect: nobody may be left without an answer.
            cause = None if task.cancelled() else task.exception()
            self._refuse([*self._group, *self._waiting], "the log was stopped in a write", cause)
            self._waiting.clear()
            self._held_bytes = 0
        self._group = []
        if self._waiting:
            self._start()

    def _next_group(self) -> list[_Append]:
        group: list[_Append] = []
        group_bytes = 0
        while self._waiting and group_bytes < _GROUP_BYTES:
            append = self._waiting.popleft()
            if append.done.done():  # its caller gave up before it was written
                self._held_bytes -= append.held_bytes
                continue
            group.append(append)
            group_bytes += append.held_bytes
        return group

    async def _commit(self, group: Sequence[_Append]) -> None:
        entries = [entry for append in group for entry in append.entries]
        try:
            positions = await self._loop.run_in_executor(self._thread, self._writer.append, entries)
        except LogUnavailable as error:
            self._refuse(group, error.message, error)
        else:
            start = 0
            for append in group:
                if not append.done.done():
                    append.done.set_result(positions[start : start + len(append.entries)])
                start += len(append.entries)
            self._on_commit()
        self._held_bytes -= sum(append.held_bytes for append in group)

    @staticmethod
    def _refuse(group: Sequence[_Append], message: str, cause: BaseException | None) -> None:
        for append in group:
            if not append.done.done():
                refusal = LogUnavailable(message)  # one each: every caller adds its own traceback
                refusal.__cause__ = cause
                append.done.set_exception(refusal)


def _held_bytes(entries: Sequence[Entry]) -> int:
    return sum(len(entry.key) + len(entry.value) + ENTRY_BYTES for entry in entries)
