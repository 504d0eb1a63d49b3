"""What the product stands on fails for a while: nothing is lost, and it recovers by itself."""

import asyncio
import os
import random
import shutil
import signal
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.fixtures.load import Load, check_nothing_is_lost
from tests.fixtures.processes import AS_ROOT, ended, spawn, within
from tests.fixtures.product import Product, product_at

SMALL_DISK: Final = "520m"
"""Room for a data folder, and little more than what the log keeps in reserve."""

HANG_SECONDS: Final = 35.0 if os.environ.get("LONG_RUNS") else 4.0
"""How long the database hangs; the longer one outlasts every timeout of statements."""

_MOUNTED: Final = (
    f'mount -t tmpfs -o size={SMALL_DISK} none "$0" && cp -a "$1/." "$0" && shift && exec "$@"'
)


@contextmanager
def _on_a_small_disk(folder: Path, content: Path) -> Generator[Product]:
    """Yield a running product whose data folder is a disk that no other process sees."""
    private = ("unshare", "--mount", "--propagation", "private", "sh", "-c")
    if not shutil.which("unshare") or ended(spawn([*private, "mount -t tmpfs none /mnt"])).code:
        pytest.skip("this system does not let a test mount a disk of its own")
    folder.mkdir()
    with product_at(folder, prefix=[*private, _MOUNTED, str(folder), str(content)]) as product:
        product.start()
        yield product


@AS_ROOT
async def test_a_full_disk_refuses_what_it_cannot_keep_and_loses_nothing(
    tmp_path: Path, used_folder: Path
) -> None:
    with _on_a_small_disk(tmp_path / "data", used_folder) as product:
        load = Load(product, random.Random(1))
        async with load.under_way():
            await load.progress(100)
            filler = product.data_seen / "filler"
            await asyncio.to_thread(_fill, filler)
            await _refused(load, 5)
            log = _checks(product)["log"]
            assert log is not None, "readiness must say that nothing can be taken in"
            assert "make room" in log
            filler.unlink()
            await load.progress(100)
        await check_nothing_is_lost(load)
        assert _checks(product)["log"] is None


def _fill(filler: Path) -> None:
    """Leave not one byte of the disk that *filler* is on."""
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"\0" * 65_536):
            pass


async def _refused(load: Load, times: int) -> None:
    goal = load.refusals[503] + times
    await asyncio.to_thread(
        within, 30, lambda: load.refusals[503] >= goal, lambda: f"only {load.refusals}"
    )


def _checks(product: Product) -> dict[str, str | None]:
    """Return what readiness says of each part: None where it is well, else why not."""
    answer = httpx.get(f"{product.url}/readyz", timeout=30)
    checks = answer.json()["checks"]
    assert answer.is_success == all(check["ok"] for check in checks.values())
    return {name: None if check["ok"] else check["detail"] for name, check in checks.items()}


async def test_a_database_that_hangs_holds_up_the_answers_but_not_the_intake(
    product: Product,
) -> None:
    load = Load(product, random.Random(2), breath_seconds=0.1)
    async with load.under_way():
        await load.progress(100)
        until = time.monotonic() + HANG_SECONDS
        with _stopped(_database(product)):
            while time.monotonic() < until:
                await load.progress(20)
                await asyncio.sleep(0.1)
            assert (await asyncio.to_thread(_checks, product))["database"] is not None
        await load.progress(100)
    await check_nothing_is_lost(load)
    await asyncio.to_thread(within, 30, lambda: _is_well(product), lambda: "readiness stays red")


@contextmanager
def _stopped(pids: Sequence[int]) -> Generator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _database(product: Product) -> list[int]:
    """Return PostgreSQL's processes, the first of them first."""
    children = [
        pid for pid in product.processes() if pid not in {product.pid, product.database_pid}
    ]
    return [product.database_pid, *children]


def _is_well(product: Product) -> bool:
    return not any(_checks(product).values())


async def test_a_killed_session_of_the_database_is_survived(product: Product) -> None:
    load = Load(product, random.Random(3))
    async with load.under_way():
        for _ in range(3):
            await load.progress(100)
            server, *sessions = _database(product)
            os.kill(sessions[-1], signal.SIGKILL)
            assert product.database_pid == server
        await load.progress(100)
    await check_nothing_is_lost(load)


async def test_a_dead_database_ends_the_product_in_order_and_the_next_start_has_it_all(
    product: Product,
) -> None:
    load = Load(product, random.Random(4))
    async with load.under_way():
        await load.progress(100)
        os.kill(product.database_pid, signal.SIGKILL)
        load.pause()
        assert await asyncio.to_thread(product.ended) == 1
        assert "journeyline: PostgreSQL has ended by itself" in product.said
        assert "Traceback" not in product.said
        assert product.processes() == []
        await asyncio.to_thread(product.start)
        load.resume()
        await load.progress(100)
    await check_nothing_is_lost(load)
