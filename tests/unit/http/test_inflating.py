"""Bodies of any length, inflated while they come."""

import gzip
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Unreadable
from shared.http.inflating import inflated_pieces


async def inflated(body: bytes, size: int = 1 << 30) -> list[bytes]:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    return [piece async for piece in inflated_pieces(pieces())]


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4), st.integers(1, 50))
async def test_gzip_of_any_number_of_members_in_pieces_of_any_size_is_inflated(
    members: list[bytes], size: int
) -> None:
    body = b"".join(map(gzip.compress, members))
    assert b"".join(await inflated(body, size)) == b"".join(members)


@given(st.binary(max_size=200).filter(lambda body: not body.startswith(b"\x1f\x8b")))
async def test_what_is_no_gzip_stays_as_it_is(body: bytes) -> None:
    assert b"".join(await inflated(body, 1)) == body


async def test_however_much_it_becomes_no_piece_is_large() -> None:
    pieces = await inflated(gzip.compress(b"\0" * (32 << 20)))
    assert sum(map(len, pieces)) == 32 << 20
    assert max(map(len, pieces)) <= 256 * 1024


@pytest.mark.parametrize("cut", [3, 12, 40])
async def test_gzip_that_is_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(Unreadable):
        await inflated(gzip.compress(b"abc" * 1_000)[:cut])


async def test_gzip_that_is_broken_is_refused() -> None:
    with pytest.raises(Unreadable):
        await inflated(b"\x1f\x8bnope and more")
