import asyncio

import pytest

from shared.errors import Overloaded
from shared.storage.look_ups import Absent, Turns


def test_what_is_absent_is_remembered_for_its_time() -> None:
    absent = Absent(keep=10, most=5)
    absent.add("a", now=100)
    assert absent.holds("a", now=109)
    assert not absent.holds("a", now=110)
    assert not absent.holds("b", now=100)


def test_what_is_absent_takes_no_more_room_than_allowed() -> None:
    absent = Absent(keep=10, most=3)
    for name in "abcd":
        absent.add(name, now=0)
    assert [name for name in "abcd" if absent.holds(name, now=0)] == ["d"]


async def test_few_look_ups_run_at_once_and_few_wait() -> None:
    turns = Turns(at_once=2, waiting=3)
    running = 0
    release = asyncio.Event()

    async def look_up() -> None:
        nonlocal running
        async with turns.turn():
            running += 1
            await release.wait()

    tasks = [asyncio.create_task(look_up()) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert running == 2
    with pytest.raises(Overloaded):
        await look_up()
    release.set()
    await asyncio.gather(*tasks)
    await look_up()
    assert running == 4
