"""Playing the demo in: all of it once, whatever comes between."""

from collections.abc import Callable

import httpx
import pytest

from services.cli.connection import Refused, Target
from services.cli.posting import IN_FLIGHT
from services.standalone.demo.history import Batch, demo_history
from services.standalone.demo.playing import Played, play, wait_until_classified
from shared.demo import CHANNELS
from shared.instants import parse_rfc3339
from tests.fakes.system import MADE_AT, InMemorySystem, problem

TARGET = Target("http://demo.test", "sk_test")
FEW = 40
LATE = 150


def nothing(*_: object) -> None:
    """Hear nothing."""


async def played_into(
    system: InMemorySystem,
    progress: Callable[[int, int], None] = nothing,
    waiting: Callable[[str], None] = nothing,
) -> Played:
    transport = httpx.ASGITransport(system.app())
    return await play(TARGET, progress=progress, waiting=waiting, people=FEW, transport=transport)


@pytest.fixture(scope="module")
def batches() -> list[Batch]:
    return list(demo_history(ends_at=parse_rfc3339(MADE_AT), people=FEW))


async def test_everything_arrives_in_order_from_historical_sources(batches: list[Batch]) -> None:
    system = InMemorySystem()
    done = await played_into(system)
    assert sent_in_order(system, batches)
    assert done == Played(parse_rfc3339(MADE_AT), len(system.received), len(system.received))
    assert {name: source["channel"] for name, source in system.sources.items()} == {
        name: channel.value for name, channel in CHANNELS.items()
    }
    assert all(s["settings"] == {"historical": True} for s in system.sources.values())


def sent_in_order(system: InMemorySystem, batches: list[Batch]) -> bool:
    """Tell whether exactly *batches* arrived, those in flight together in any order."""
    expected = [(batch.source, item) for batch in batches for item in batch.items]
    return sorted(system.received, key=str) == sorted(expected, key=str)


async def test_progress_goes_from_nothing_to_all(batches: list[Batch]) -> None:
    told: list[tuple[int, int]] = []
    await played_into(InMemorySystem(), progress=lambda done, total: told.append((done, total)))
    total = sum(len(batch.items) for batch in batches)
    assert told[0] == (0, total)
    assert told[-1] == (total, total)
    assert told == sorted(told)


async def test_played_again_nothing_is_sent() -> None:
    system = InMemorySystem()
    await played_into(system)
    before = len(system.received)
    done = await played_into(system)
    assert done.sent == 0
    assert len(system.received) == before


@pytest.mark.parametrize("broken_after", [0, 1, 3, LATE])
async def test_an_interrupted_run_goes_on_with_the_same_history(
    batches: list[Batch], broken_after: int
) -> None:
    system = InMemorySystem(breaks_after=broken_after)
    with pytest.raises(Refused):
        await played_into(system)
    system.breaks_after = None
    await played_into(system)
    assert {(source, str(item)) for source, item in system.received} == {
        (batch.source, str(item)) for batch in batches for item in batch.items
    }
    assert system.batches <= len(batches) + 2 * IN_FLIGHT


async def test_a_system_that_asks_to_wait_is_asked_again(batches: list[Batch]) -> None:
    busy = {"Retry-After": "0"}
    system = InMemorySystem(
        troubles=[problem(503, "overloaded", **busy), problem(429, "rate_limited", **busy)]
    )
    heard: list[str] = []
    await played_into(system, waiting=heard.append)
    assert sent_in_order(system, batches)
    assert len(heard) == 2


async def test_a_system_may_take_a_moment_to_notice_its_new_sources(batches: list[Batch]) -> None:
    system = InMemorySystem(troubles=[problem(404, "not_found")])
    await played_into(system)
    assert sent_in_order(system, batches)


async def test_a_refused_key_ends_it() -> None:
    system = InMemorySystem(troubles=[problem(403, "missing_scope")])
    with pytest.raises(Refused, match="missing_scope"):
        await played_into(system)
    assert system.batches < IN_FLIGHT


async def test_classification_is_waited_for() -> None:
    system = InMemorySystem()
    await played_into(system)
    system.pending, system.classified_per_look = 10, 10
    told: list[tuple[int, int]] = []
    transport = httpx.ASGITransport(system.app())
    end = len(system.received)
    assert await wait_until_classified(
        TARGET, progress=lambda done, all_: told.append((done, all_)), transport=transport
    )
    assert told == [(end - 10, end), (end, end)]


async def test_waiting_for_classification_ends_some_time() -> None:
    transport = httpx.ASGITransport(InMemorySystem(pending=1).app())
    assert not await wait_until_classified(
        TARGET, progress=nothing, most_seconds=0.5, transport=transport
    )
