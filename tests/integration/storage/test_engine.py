"""Connections that are checked out for work on the driver itself."""

import asyncio

import pytest

from shared.storage.engine import checked_out, open_engine


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
