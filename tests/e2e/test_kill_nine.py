"""The product killed at any moment while touchpoints come in: nothing is lost, nothing doubled."""

import asyncio
import os
import random
import signal
import sqlite3
import sys
from contextlib import closing, suppress
from typing import Final

import pytest

from tests.fixtures.load import Load, check_nothing_is_lost
from tests.fixtures.product import Product

ROUNDS: Final = 20 if os.environ.get("LONG_RUNS") else 5


@pytest.mark.parametrize("seed", [1])
async def test_kills_under_load_lose_nothing_and_double_nothing(
    product: Product, seed: int
) -> None:
    chance = random.Random(seed)
    load = Load(product, random.Random(seed + 1))
    async with load.under_way():
        for number in range(ROUNDS):
            await load.progress(chance.randint(100, 800))
            product.send(signal.SIGKILL)
            load.pause()
            if number % 2:
                _kill_the_database(product)
            await asyncio.to_thread(product.kill)
            await asyncio.to_thread(product.start)
            load.resume()
        await load.progress(100)
    assert load.unanswered, "no kill hit a request: the test is void"
    assert load.ledgers
    total = await check_nothing_is_lost(load)
    await asyncio.to_thread(product.stop)
    assert _records(product) == total.log_end
    sys.stdout.write(
        f"{ROUNDS} kills; {len(load.sent)} touchpoints, {len(load.unanswered)} of them unanswered "
        f"at least once; {len(load.ledgers)} ledgers; at the end {total}\n"
    )


def _kill_the_database(product: Product) -> None:
    """Leave PostgreSQL no time to stop in order, so that it has to recover."""
    for pid in product.processes():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _records(product: Product) -> int:
    """Return how many records the log holds, read from its file."""
    with closing(sqlite3.connect(product.data / "log" / "log.sqlite")) as log:
        [(records,)] = log.execute("SELECT count(*) FROM records")
    return int(records)
