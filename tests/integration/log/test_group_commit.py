"""How appends of many tasks share the one writer."""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import LogUnavailable, Overloaded, TooLarge
from shared.log.embedded import EmbeddedLog, open_embedded_log
from shared.log.port import Entry


class HeldClock:
    """A clock that is asked once in every transaction, and that can hold one up."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.transactions = 0

    def __call__(self) -> int:
        self.free.wait(60)
        self.transactions += 1
        return self.transactions


@pytest.fixture
def clock() -> Iterator[HeldClock]:
    clock = HeldClock()
    yield clock
    clock.free.set()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


def appends(log: EmbeddedLog, count: int, size: int = 10) -> list[asyncio.Task[object]]:
    return [
        asyncio.create_task(_append(log, b"%d" % number + bytes(size))) for number in range(count)
    ]


async def _append(log: EmbeddedLog, value: bytes) -> object:
    return await log.writer.append([Entry(b"k", value)])


async def until_queued() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_appends_that_arrive_together_share_one_transaction(
    path: Path, clock: HeldClock
) -> None:
    async with open_embedded_log(path, clock=clock, reserve_bytes=0) as log:
        await asyncio.gather(*appends(log, 100))
        assert clock.transactions == 1


async def test_appends_that_arrive_during_a_transaction_share_the_next_one(
    path: Path, clock: HeldClock
) -> None:
    async with open_embedded_log(path, clock=clock, reserve_bytes=0) as log:
        clock.free.clear()
        first = appends(log, 1)
        await until_queued()
        others: list[asyncio.Task[object]] = []
        for _ in range(5):
            others += appends(log, 10)
            await until_queued()
        clock.free.set()
        await asyncio.gather(*first, *others)
        assert clock.transactions == 2


async def test_tasks_that_append_again_and_again_all_end_up_in_the_same_transactions(
    path: Path, clock: HeldClock
) -> None:
    async def append_often(log: EmbeddedLog) -> None:
        for _ in range(20):
            await log.writer.append([Entry(b"k", b"v")])

    async with open_embedded_log(path, clock=clock, reserve_bytes=0) as log:
        clock.free.clear()
        early = [asyncio.create_task(append_often(log)) for _ in range(25)]
        await until_queued()
        late = [asyncio.create_task(append_often(log)) for _ in range(25)]
        await until_queued()
        clock.free.set()
        await asyncio.gather(*early, *late)
        assert clock.transactions <= 25


async def test_an_append_whose_caller_gave_up_before_its_turn_is_never_written(
    path: Path, clock: HeldClock
) -> None:
    async with open_embedded_log(path, clock=clock, reserve_bytes=0, partitions=1) as log:
        clock.free.clear()
        tasks = appends(log, 1)
        await until_queued()
        given_up = appends(log, 5)
        await until_queued()
        for task in given_up:
            task.cancel()
        await asyncio.wait(given_up)
        clock.free.set()
        await asyncio.gather(*tasks)
        (later,) = await log.writer.append([Entry(b"k", b"later")])
        assert later.offset == 1


async def test_what_waits_is_bounded_and_there_is_room_again_once_it_is_written(
    path: Path, clock: HeldClock
) -> None:
    async with open_embedded_log(path, clock=clock, reserve_bytes=0, queue_bytes=10_000) as log:
        for _ in range(3):
            clock.free.clear()
            tasks = appends(log, 12, size=1_000)
            await until_queued()
            refused = [task for task in tasks if task.done()]
            assert refused == tasks[8:]
            for task in refused:
                with pytest.raises(Overloaded):
                    task.result()
            clock.free.set()
            await asyncio.gather(*tasks[:8])


async def test_room_held_for_cancelled_appends_is_given_back(path: Path, clock: HeldClock) -> None:
    async with open_embedded_log(path, clock=clock, reserve_bytes=0, queue_bytes=10_000) as log:
        for _ in range(5):
            clock.free.clear()
            running = appends(log, 2, size=1_000)
            await until_queued()
            waiting = appends(log, 6, size=1_000)
            await until_queued()
            for task in (running[0], *waiting):
                task.cancel()
            await asyncio.wait(waiting)
            clock.free.set()
            await asyncio.wait(running)
        await asyncio.gather(*appends(log, 8, size=1_000))


async def test_an_append_that_could_never_fit_is_refused_for_good(path: Path) -> None:
    async with open_embedded_log(path, reserve_bytes=0, queue_bytes=10_000) as log:
        with pytest.raises(TooLarge, match="at most 10000"):
            await log.writer.append([Entry(b"k", bytes(10_000))])
        await log.writer.append([Entry(b"k", bytes(9_000))])


async def test_an_append_that_is_not_confirmed_in_time_is_unavailable_and_others_go_on(
    path: Path, clock: HeldClock
) -> None:
    async with open_embedded_log(
        path, clock=clock, reserve_bytes=0, append_timeout_seconds=0.05
    ) as log:
        clock.free.clear()
        with pytest.raises(LogUnavailable, match=r"did not confirm within 0\.05 s"):
            await log.writer.append([Entry(b"k", b"unknown")])
        clock.free.set()
        await log.writer.check()
    async with open_embedded_log(path, clock=clock, reserve_bytes=0) as log:
        await log.writer.append([Entry(b"k", b"v")])


async def test_a_group_that_fails_is_refused_as_a_whole_and_leaves_no_gap(path: Path) -> None:
    failing = itertools.cycle([1 << 30, 0])
    async with open_embedded_log(path, disk_room=lambda _: next(failing), partitions=1) as log:
        kept = await asyncio.gather(*appends(log, 5))
        answers = await asyncio.gather(*appends(log, 5), return_exceptions=True)
        assert all(isinstance(answer, LogUnavailable) for answer in answers)
        later = await log.writer.append([Entry(b"k", b"later")])
        assert len(kept) == later[0].offset == 5


async def test_closing_waits_for_the_transaction_that_runs(path: Path, clock: HeldClock) -> None:
    async with open_embedded_log(path, clock=clock, reserve_bytes=0) as log:
        clock.free.clear()
        tasks = appends(log, 3)
        await until_queued()
        closing = asyncio.create_task(log.aclose())
        await until_queued()
        assert not closing.done()
        with pytest.raises(LogUnavailable, match="closed"):
            await log.writer.append([Entry(b"k", b"late")])
        clock.free.set()
        await closing
        assert all(task.done() and not task.exception() for task in tasks)


async def test_no_thread_is_left_when_a_log_is_closed(path: Path) -> None:
    before = set(threading.enumerate())
    async with open_embedded_log(path, reserve_bytes=0) as log:
        await log.reader().end_offsets()
        assert len(set(threading.enumerate()) - before) == 2
    assert set(threading.enumerate()) <= before


async def test_writing_that_is_stopped_leaves_nobody_waiting(path: Path) -> None:
    async with open_embedded_log(path, reserve_bytes=0, append_timeout_seconds=3_600) as log:
        for turns in range(3):
            mine = {asyncio.current_task(), *(tasks := appends(log, 3))}
            for _ in range(turns + 1):
                await asyncio.sleep(0)
            for task in asyncio.all_tasks() - mine:
                task.cancel()
            done, _ = await asyncio.wait(tasks, timeout=30)
            assert done == set(tasks)
        await log.writer.append([Entry(b"k", b"taken")])
