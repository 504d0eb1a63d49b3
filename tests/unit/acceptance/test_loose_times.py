from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.acceptance.loose_times import loose_rfc3339
from shared.acceptance.times import read_time
from shared.instants import EARLIEST, LATEST, SECOND, instant_of, rfc3339
from tests.strategies.items import json_values


@given(st.integers(EARLIEST, LATEST))
def test_what_is_rfc_3339_already_means_the_same(instant: int) -> None:
    loose = loose_rfc3339(rfc3339(instant))
    assert loose is not None
    assert instant_of(read_time(loose)) == instant


@given(st.integers(0, 99_999_999_999))
def test_small_numbers_are_seconds_and_large_ones_milliseconds(seconds: int) -> None:
    assert loose_rfc3339(seconds) == rfc3339(seconds * SECOND)
    milliseconds = 100_000_000_000 + seconds
    assert loose_rfc3339(milliseconds) == rfc3339(milliseconds * 1_000)


@given(st.datetimes())
def test_a_time_without_a_zone_is_utc(moment: object) -> None:
    assert loose_rfc3339(str(moment).replace(" ", "T")) == str(moment).replace(" ", "T") + "Z"


@pytest.mark.parametrize("value", ["", "x", "2026", "2026-01", "10:00", True, None, [], 1e300])
def test_what_is_no_time_is_none(value: object) -> None:
    assert loose_rfc3339(value) is None


@given(json_values)
def test_whatever_it_makes_of_a_value_can_be_judged(value: object) -> None:
    text = loose_rfc3339(value)
    if text is not None:
        with suppress(ValueError):
            read_time(text)
