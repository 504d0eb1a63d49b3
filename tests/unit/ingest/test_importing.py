"""Imports that do not come to their end; those that do are in ``tests/contract``."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from starlette.requests import ClientDisconnect

from services.ingest.importing import BATCH_ROWS, MOST_ERRORS, Importing, Order
from services.ingest.intake import Intake
from services.ingest.limits import RateLimits
from shared.errors import Invalid
from shared.files.columns import Layout
from shared.imports import ImportState, ImportStatus
from tests.fakes.directory import InMemoryDirectory
from tests.fakes.imports import InMemoryImportStates
from tests.fakes.log import InMemoryLog, InMemoryWriter
from tests.strategies.items import NOW, numbered_ids, source_with

ROWS = "type,customer.email\n" + "visit,ana@example.com\n" * (2 * BATCH_ROWS + 1)


@pytest.fixture
def log() -> InMemoryLog:
    return InMemoryLog(partitions=1)


@pytest.fixture
def states() -> InMemoryImportStates:
    return InMemoryImportStates()


@pytest.fixture
def importing(log: InMemoryLog, states: InMemoryImportStates) -> Importing:
    source = source_with()
    intake = Intake(
        log=InMemoryWriter(log),
        directory=InMemoryDirectory([source], {}),
        clock=lambda: NOW,
        new_id=numbered_ids(),
        rates=RateLimits(lambda: NOW),
    )
    return Importing(intake, states, Order(UUID(int=1), source, Layout()))


def last(states: InMemoryImportStates) -> ImportState:
    return states.history[-1]


async def test_a_sender_that_goes_away_leaves_what_was_taken_in(
    importing: Importing, log: InMemoryLog, states: InMemoryImportStates
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield ROWS.encode()
        raise ClientDisconnect

    with pytest.raises(ClientDisconnect):
        await importing.run(pieces())
    assert len(log.records) == last(states).accepted == 2 * BATCH_ROWS
    assert last(states).status is ImportStatus.INTERRUPTED
    assert last(states).message == (
        f"the sender went away after line {2 * BATCH_ROWS + 1}: send the file again, nothing is "
        "doubled"
    )


async def test_a_process_that_stops_says_so(
    importing: Importing, states: InMemoryImportStates
) -> None:
    waits = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield ROWS.encode()
        waits.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(importing.run(pieces()))
    await waits.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert last(states).status is ImportStatus.INTERRUPTED
    assert last(states).finished_at is not None


async def test_the_first_errors_are_told_and_all_are_counted(
    importing: Importing, log: InMemoryLog
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"type,customer.email\n"
        for _ in range(2 * MOST_ERRORS):
            yield b"visit,\n"

    state = await importing.run(pieces())
    assert (state.status, state.accepted, state.rejected) == ("done", 0, 2 * MOST_ERRORS)
    assert [error.line for error in state.errors] == list(range(2, MOST_ERRORS + 2))
    assert len(log.records) == 2 * MOST_ERRORS


@pytest.mark.parametrize(
    "file",
    [
        b"type,customer.email,occurred_at\nvisit,ana@example.com,canary-1\n",
        b'type,customer.email,occurred_at\nvisit,ana@example.com,"canary-1 \'s"\n',
        b'{"type": "visit", "customer": {"email": "a@b.example"}, "canary-1@example.com": 1}\n',
        b'{"type": "visit", "customer": {"canary-1@example.com": 1}}\n',
        b'{"type": "visit", "occurred_at": "canary-1", "customer": {"email": "a@b.example"}}\n',
        b'{"type": "visit canary-1\n',
    ],
)
async def test_what_is_kept_of_an_import_quotes_nothing_of_its_lines(
    importing: Importing, states: InMemoryImportStates, file: bytes
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield file

    await importing.run(pieces())
    state = last(states)
    assert len(state.errors) == 1
    assert "canary" not in str(state)


async def test_a_file_without_a_first_line_of_names_is_kept_without_what_it_had_instead(
    importing: Importing, states: InMemoryImportStates
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"visit,canary-1@example.com\n"

    with pytest.raises(Invalid, match="canary-1@example"):
        await importing.run(pieces())
    state = last(states)
    assert state.status is ImportStatus.FAILED
    assert "columns are wrong (invalid_columns)" in str(state.message)
    assert "canary" not in str(state)
