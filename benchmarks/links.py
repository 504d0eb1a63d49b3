"""What a link costs in a real PostgreSQL: ``python -m benchmarks.links``; about two minutes.

A batch holds one login each, so that what is printed is one link's: the rows that changed, the
statements, and the CPU time of this process. Run it on a quiet machine.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Final

from services.standalone.postgres import running_postgres
from shared.instants import MINUTE
from shared.storage.engine import open_engine
from shared.storage.migrate import upgrade
from shared.storage.stage_models import ensure_default_model
from shared.upkeep.transactions import transaction
from tests.fixtures.classification import MODEL, START, Classifier, Sent

USERS: Final = 10_000
MEASURED: Final = 40
AT_ONCE: Final = 500

_CHANGED: Final = """
SELECT relname, n_tup_ins + n_tup_upd + n_tup_del AS changed FROM pg_stat_user_tables
 WHERE relname IN ('identifiers', 'links', 'components')
"""
_MOVED: Final = "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'touchpoints'"


def login(number: int, device: str) -> Sent:
    """Return somebody's first login on *device*."""
    names = (f"user_id:{device}-u{number:05d}", f"anonymous_id:{device}")
    return Sent(f"{device}-{number}", names, at=START + number * MINUTE, type="identify")


def own_device(number: int) -> Sent:
    """Return somebody's login on a device that nobody else has."""
    names = (f"user_id:own{number:05d}", f"anonymous_id:own{number:05d}")
    return Sent(f"own-{number}", names, at=START + number * MINUTE, type="identify")


@asynccontextmanager
async def classifying() -> AsyncGenerator[Classifier]:
    """Yield a classifier on a throw-away PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder:
        async with running_postgres(Path(folder) / "postgres", progress=print) as postgres:
            await upgrade(postgres.dsn)
            async with open_engine(postgres.dsn) as engine:
                async with transaction(engine) as connection:
                    await ensure_default_model(connection, MODEL, now=START)
                yield Classifier(engine)


async def changed_rows(classifier: Classifier) -> dict[str, int]:
    """Return how many rows of each table have been changed so far."""
    await classifier.rows("SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot()")
    rows = await classifier.rows(_CHANGED)
    return {str(row["relname"]): int(str(row["changed"])) for row in rows}


async def measure(title: str, classifier: Classifier, logins: Sequence[Sent]) -> None:
    """Feed *logins* one batch each and print what one of them costs."""
    before = await settled(classifier)
    cpu, wall = [], []
    for one in logins:
        began, cpu_began = time.perf_counter(), time.process_time()
        await classifier.feed(one)
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - cpu_began)
    after = await settled(classifier)
    rows = {name: (after[name] - before[name]) / len(logins) for name in sorted(after)}
    shown = ", ".join(f"{name} {count:.1f}" for name, count in rows.items())
    print(
        f"{title:<44} {median(cpu) * 1e3:6.1f} ms CPU {median(wall) * 1e3:7.1f} ms; rows: {shown}"
    )


async def settled(classifier: Classifier) -> dict[str, int]:
    """Return the changed rows once PostgreSQL has counted them all."""
    known: dict[str, int] = {}
    while (now := await changed_rows(classifier)) != known:
        known = now
        await asyncio.sleep(1.1)
    return known


async def fill(
    classifier: Classifier, count: int, of: Callable[[int], Sent], first: int = 0
) -> None:
    """Feed many logins, some hundred a batch."""
    for start in range(first, count, AT_ONCE):
        await classifier.feed(*map(of, range(start, min(start + AT_ONCE, count))))


async def main() -> None:
    """Print what a link costs to an ordinary device, and to a kiosk as it gets busier."""
    async with classifying() as classifier:
        await measure("a device of one's own", classifier, [own_device(n) for n in range(MEASURED)])
        for users in (100, 1_000, USERS):
            await fill(classifier, users, lambda number: login(number, "kiosk"), users // 10)
            logins = [login(users * 10 + number, "kiosk") for number in range(MEASURED)]
            await measure(f"a kiosk after {users:,} logins", classifier, logins)
        moved = await classifier.rows(_MOVED)
        print(f"touchpoint rows moved: {moved[0]['n_tup_upd']}")


if __name__ == "__main__":
    asyncio.run(main())
