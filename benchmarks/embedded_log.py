"""How fast the embedded log takes records and gives them back, on this machine.

Run it as ``python -m benchmarks.embedded_log``; it takes about a quarter of a minute, in a
temporary folder beside the current one, since many machines keep ``/tmp`` in memory.
"""

import asyncio
import itertools
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from shared.log.embedded import open_embedded_log
from shared.log.port import Entry, LogWriter

SECONDS = 3.0
VALUE_BYTES = 600
CUSTOMERS = 20_000
APPEND_RECORDS = 100
TASKS = 64


def entries(seed: int) -> Iterator[Entry]:
    """Yield touchpoints of about the usual size, of customers who come back."""
    chance = random.Random(seed)
    value = chance.randbytes(VALUE_BYTES)
    while True:
        yield Entry(b"user_id:customer-%d" % chance.randrange(CUSTOMERS), value)


class Measured:
    """What a number of tasks appended until their time was over."""

    def __init__(self, writer: LogWriter, records_per_append: int) -> None:
        self._writer = writer
        self._records_per_append = records_per_append
        self.records = 0
        self.latencies: list[float] = []

    async def append_until(self, end: float, seed: int) -> None:
        """Append, each time waiting until it is durable, until *end* (``perf_counter``)."""
        source = entries(seed)
        while (began := time.perf_counter()) < end:
            batch = list(itertools.islice(source, self._records_per_append))
            await self._writer.append(batch)
            self.latencies.append(time.perf_counter() - began)
            self.records += len(batch)

    def report(self, title: str, seconds: float, cpu_seconds: float) -> None:
        """Print one line."""
        ordered = sorted(self.latencies)
        middle, late = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
        print(
            f"{title:<36} {self.records / seconds:>9,.0f} records/s"
            f" {self.records / cpu_seconds:>9,.0f} per CPU s"
            f"   p50 {middle * 1e3:>5.1f} ms   p99 {late * 1e3:>6.1f} ms"
        )


async def measure_writer(writer: LogWriter, tasks: int, records_per_append: int) -> None:
    """Append to *writer* from *tasks* tasks at once for ``SECONDS``."""
    measured = Measured(writer, records_per_append)
    began, cpu_began = time.perf_counter(), time.process_time()
    end = began + SECONDS
    await asyncio.gather(*(measured.append_until(end, seed) for seed in range(tasks)))
    measured.report(
        f"{tasks} tasks, {records_per_append} records an append",
        time.perf_counter() - began,
        time.process_time() - cpu_began,
    )


async def measure_appends(folder: Path, tasks: int, records_per_append: int) -> None:
    """Append to a log of its own."""
    async with open_embedded_log(folder / f"{tasks}-{records_per_append}.log") as log:
        await measure_writer(log.writer, tasks, records_per_append)


async def measure_reading(path: Path) -> None:
    """Read the log from its start, as the classifier does after a long pause."""
    async with open_embedded_log(path) as log:
        reader = log.reader()
        for partition, start in (await reader.start_offsets()).items():
            await reader.seek(partition, start)
        records = 0
        began = time.perf_counter()
        while polled := await reader.poll(max_records=2_000, timeout_seconds=0):
            records += sum(map(len, polled.values()))
            if time.perf_counter() - began > SECONDS:
                break
        seconds = time.perf_counter() - began
        print(f"{'reading, 2,000 a poll':<36} {records / seconds:>9,.0f} records/s")


async def measure_trimming(path: Path) -> None:
    """Trim all of the log, and tell how long an append waits meanwhile."""
    async with open_embedded_log(path) as log:
        ends = await log.reader().end_offsets()
        began = time.perf_counter()
        trimming = asyncio.create_task(log.trim(ends, older_than=1 << 62))
        waits = Measured(log.writer, 1)
        while not trimming.done() and time.perf_counter() - began < SECONDS:
            await waits.append_until(time.perf_counter() + 1e-3, seed=0)
        trimming.cancel()
        await asyncio.wait([trimming])
        kept = sum((await log.reader().start_offsets()).values())
        seconds = time.perf_counter() - began
        print(
            f"{'trimming':<36} {kept / seconds:>9,.0f} records/s"
            f"   an append meanwhile: at most {max(waits.latencies) * 1e3:.1f} ms"
        )


async def main() -> None:
    """Run all measurements."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        await measure_appends(folder, 1, 1)
        await measure_appends(folder, TASKS, 1)
        await measure_appends(folder, 1, APPEND_RECORDS)
        await measure_appends(folder, 8, APPEND_RECORDS)
        await measure_reading(folder / f"8-{APPEND_RECORDS}.log")
        await measure_trimming(folder / f"8-{APPEND_RECORDS}.log")
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{'peak memory':<36} {peak_kib / 1024:>9,.0f} MiB")


if __name__ == "__main__":
    asyncio.run(main())
