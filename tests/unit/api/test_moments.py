from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.moments import moment_text, optional_moment_text
from shared.instants import EARLIEST, LATEST, datetime_of, rfc3339


@given(st.integers(EARLIEST, LATEST))
def test_a_moment_reads_like_its_instant(instant: int) -> None:
    assert moment_text(datetime_of(instant)) == rfc3339(instant)


@pytest.mark.parametrize("milliseconds", [0, 100, 120, 1_000])
def test_fractions_stand_only_where_there_are_any(milliseconds: int) -> None:
    instant = milliseconds * 1_000
    assert moment_text(datetime_of(instant)) == rfc3339(instant)


def test_the_drivers_infinity_reads_like_the_last_instant() -> None:
    infinity = datetime.max  # noqa: DTZ901 - what asyncpg returns has no offset
    assert moment_text(infinity) == rfc3339(LATEST)


def test_no_moment_stays_none() -> None:
    assert optional_moment_text(None) is None
