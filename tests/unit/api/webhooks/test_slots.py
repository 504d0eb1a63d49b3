"""Slots are handed out in order, and nobody waits while holding some."""

import asyncio

from services.api.webhooks.slots import Slots


async def test_whoever_comes_gets_what_is_free_but_waits_for_one_only() -> None:
    slots = Slots(3)
    assert await slots.take(2) == 2
    assert await slots.take(2) == 1
    waiting = asyncio.create_task(slots.take(2))
    await asyncio.sleep(0)
    assert not waiting.done()
    slots.give_back(1)
    assert await waiting == 1


async def test_whoever_asks_later_does_not_pass_those_who_wait() -> None:
    slots = Slots(1)
    await slots.take(1)
    order = []

    async def take(name: str) -> None:
        await slots.take(5)
        order.append(name)
        slots.give_back(1)

    waiting = [asyncio.create_task(take(name)) for name in "abc"]
    await asyncio.sleep(0)
    slots.give_back(1)
    await asyncio.gather(*waiting)
    assert order == ["a", "b", "c"]
