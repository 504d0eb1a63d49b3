"""The states of imports: what is kept in memory for tests is kept in PostgreSQL just so."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from shared.errors import DatabaseUnavailable
from shared.imports import ImportState, ImportStates, ImportStatus, LineError
from shared.instants import datetime_of
from shared.storage.engine import open_engine
from shared.storage.imports import KEPT_DAYS, StoredImportStates
from tests.fakes.imports import InMemoryImportStates
from tests.strategies.items import NOW

STATE = ImportState(
    id=UUID(int=1),
    source="till",
    status=ImportStatus.RUNNING,
    started_at=datetime_of(NOW),
    updated_at=datetime_of(NOW),
    historical=True,
    errors=(LineError(3, "required", "customer must be given"),),
)


@pytest.fixture(params=["memory", "postgresql"])
async def states(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[ImportStates]:
    if request.param == "memory":
        yield InMemoryImportStates()
        return
    async with open_engine(database_url, pool_size=1) as engine:
        yield StoredImportStates(engine)


def later(state: ImportState, number: int, **members: object) -> ImportState:
    started_at = state.started_at + timedelta(seconds=number)
    return msgspec.structs.replace(state, id=UUID(int=number), started_at=started_at, **members)


async def test_a_state_takes_the_place_of_the_one_before(states: ImportStates) -> None:
    assert await states.find(STATE.id) is None
    await states.save(STATE)
    assert await states.find(STATE.id) == STATE
    done = msgspec.structs.replace(STATE, status=ImportStatus.DONE, line=7, format="csv")
    await states.save(done)
    assert await states.find(STATE.id) == done


async def test_the_newest_come_first_of_one_source_or_of_all(states: ImportStates) -> None:
    first, second = later(STATE, 1), later(STATE, 2, source="web")
    third = later(STATE, 3)
    for state in (second, third, first):
        await states.save(state)
    assert await states.newest(None, 10) == [third, second, first]
    assert await states.newest("till", 10) == [third, first]
    assert await states.newest(None, 1) == [third]


async def test_old_states_are_forgotten(database_url: str) -> None:
    async with open_engine(database_url, pool_size=1) as engine:
        states = StoredImportStates(engine)
        await states.save(STATE)
        moment = STATE.updated_at + timedelta(days=KEPT_DAYS, seconds=1)
        await states.save(later(STATE, 90 * 86_400 + 1, updated_at=moment))
        assert await states.find(STATE.id) is None


async def test_a_database_that_is_away_is_told() -> None:
    async with open_engine("postgresql://nobody@127.0.0.1:1/none", pool_size=1) as engine:
        with pytest.raises(DatabaseUnavailable):
            await StoredImportStates(engine).find(STATE.id)
