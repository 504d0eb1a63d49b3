"""Connections that are checked out for work on the driver itself."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.storage.engine import OUTAGES, checked_out, driver_of, open_engine


@pytest.mark.parametrize("cut_off_by", [asyncio.CancelledError, TimeoutError])
async def test_a_connection_whose_work_was_cut_off_is_not_used_again(
    database_url: str, cut_off_by: type[BaseException]
) -> None:
    async with open_engine(database_url, pool_size=1) as engine:
        with pytest.raises(cut_off_by):
            async with checked_out(engine) as cut_off:
                raise cut_off_by
        async with checked_out(engine) as following:
            assert following is not cut_off
            async with following.transaction(isolation="repeatable_read"):
                assert await following.fetchval("SELECT 1") == 1


async def test_a_connection_whose_work_went_wrong_is_used_again(database_url: str) -> None:
    async with open_engine(database_url, pool_size=1) as engine:
        with pytest.raises(LookupError):
            async with checked_out(engine) as first:
                raise LookupError
        async with checked_out(engine) as following:
            assert following is first


async def test_connections_are_lent_in_the_order_of_asking(database_url: str) -> None:
    """Whoever brings one back and asks again stands behind those who wait."""
    served: list[str] = []

    async def keep_asking(name: str) -> None:
        for _ in range(3):
            async with checked_out(engine) as connection:
                served.append(name)
                await connection.fetchval("SELECT 1")

    async with open_engine(database_url, pool_size=1) as engine:
        await asyncio.gather(*(keep_asking(name) for name in "abcde"))
    assert served == list("abcde") * 3


async def test_whoever_waits_too_long_for_a_connection_is_told(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.storage.engine.WAIT_SECONDS", 0.01)
    async with open_engine(database_url, pool_size=1) as engine, checked_out(engine):
        with pytest.raises(TimeoutError):
            async with checked_out(engine):
                pass


async def test_what_only_the_driver_does_in_a_transaction_is_undone_with_it(
    database_url: str,
) -> None:
    async def do_and_fail(engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            driver = await driver_of(connection)
            await driver.execute("CREATE TABLE undone (id integer)")
            raise LookupError

    async with open_engine(database_url, pool_size=1) as engine:
        with pytest.raises(LookupError):
            await do_and_fail(engine)
        async with checked_out(engine) as following:
            assert await following.fetchval("SELECT to_regclass('undone')") is None


async def test_locks_that_only_the_driver_takes_are_held_until_the_transaction_ends(
    database_url: str,
) -> None:
    async with open_engine(database_url, pool_size=2) as engine:
        async with engine.begin() as connection:
            driver = await driver_of(connection)
            await driver.execute("SELECT pg_advisory_xact_lock(42)")
            async with checked_out(engine) as other:
                assert not await other.fetchval("SELECT pg_try_advisory_lock(42)")
        async with checked_out(engine) as other:
            assert await other.fetchval("SELECT pg_try_advisory_xact_lock(42)")


async def test_a_server_that_takes_no_connection_is_an_outage_in_its_own_words(
    database_url: str,
) -> None:
    nowhere = make_url(database_url).set(database="nowhere").render_as_string(hide_password=False)
    async with open_engine(nowhere) as engine:
        with pytest.raises(asyncpg.InvalidCatalogNameError) as refused:
            async with checked_out(engine):
                pass
        assert isinstance(refused.value, OUTAGES)
