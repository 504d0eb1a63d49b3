import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.acceptance.reasons import Flag
from shared.acceptance.times import EffectiveTime, effective_time, read_time
from shared.instants import (
    DAY,
    EARLIEST,
    HOUR,
    LATEST,
    MINUTE,
    SECOND,
    Instant,
    Micros,
    datetime_of,
    instant_of,
    parse_rfc3339,
)
from tests.strategies.items import NOW, times


def effective(
    occurred_at: Instant | None, sent_at: Instant | None = None, *, skew_limit: Micros = DAY
) -> EffectiveTime:
    return effective_time(occurred_at, sent_at, received_at=NOW, skew_limit=skew_limit)


def test_without_a_time_it_happened_when_it_was_received() -> None:
    assert effective(None) == EffectiveTime(NOW)
    assert effective(None, NOW - 30 * DAY) == EffectiveTime(NOW)


def test_without_a_time_of_sending_the_senders_clock_is_believed() -> None:
    assert effective(NOW - HOUR) == EffectiveTime(NOW - HOUR)


@pytest.mark.parametrize("skew", [-DAY, -HOUR, 0, SECOND, DAY])
def test_a_clock_that_is_off_by_at_most_a_day_is_corrected(skew: Micros) -> None:
    sent_at = NOW + skew
    assert effective(sent_at - 10 * MINUTE, sent_at) == EffectiveTime(NOW - 10 * MINUTE)


@pytest.mark.parametrize("skew", [-DAY - 1, DAY + 1, -400 * DAY])
def test_a_clock_that_is_off_by_more_is_not_corrected_but_flagged(skew: Micros) -> None:
    at = effective(NOW - HOUR, NOW + skew)
    assert at == EffectiveTime(NOW - HOUR, (Flag.SKEW_IGNORED,))


def test_a_source_may_believe_less_skew() -> None:
    at = effective(NOW - HOUR, NOW - 2 * MINUTE, skew_limit=MINUTE)
    assert at == EffectiveTime(NOW - HOUR, (Flag.SKEW_IGNORED,))


def test_the_future_is_at_most_five_minutes_long() -> None:
    assert effective(NOW + 5 * MINUTE) == EffectiveTime(NOW + 5 * MINUTE)
    clamped = EffectiveTime(NOW + 5 * MINUTE, (Flag.TIME_CLAMPED,))
    assert effective(NOW + 5 * MINUTE + 1) == clamped
    assert effective(LATEST) == clamped
    assert effective(NOW + HOUR, NOW - HOUR) == clamped


def test_long_ago_is_kept_and_flagged() -> None:
    ten_years_ago = parse_rfc3339("2016-01-05T12:00:00Z")
    assert effective(ten_years_ago) == EffectiveTime(ten_years_ago)
    assert effective(ten_years_ago - 1).flags == (Flag.TIME_OLD,)
    assert effective(-1) == EffectiveTime(-1, (Flag.TIME_OLD,))
    assert effective(EARLIEST).at == EARLIEST


def test_before_1970_is_flagged_even_when_it_is_received_soon_after() -> None:
    at = effective_time(-1, None, received_at=DAY, skew_limit=DAY)
    assert at.flags == (Flag.TIME_OLD,)


def test_a_correction_never_leads_before_the_year_1() -> None:
    with pytest.raises(ValueError, match="year 1"):
        effective(EARLIEST, NOW + SECOND)


instants = st.integers(EARLIEST, LATEST)


@given(st.none() | instants, st.none() | instants, st.integers(0, LATEST - DAY))
def test_the_effective_time_is_never_past_five_minutes_after_receipt_and_always_a_datetime(
    occurred_at: Instant | None, sent_at: Instant | None, received_at: Instant
) -> None:
    try:
        at, _ = effective_time(occurred_at, sent_at, received_at=received_at, skew_limit=DAY)
    except ValueError:
        return
    assert at <= received_at + 5 * MINUTE
    assert instant_of(datetime_of(at)) == at


@given(
    st.one_of(
        times,
        st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z"),
        st.text("0123456789-:TZW.+ ", max_size=24),
        st.text(max_size=24),
    )
)
def test_a_time_is_read_exactly_as_everywhere_else(text: str) -> None:
    try:
        expected = parse_rfc3339(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            read_time(text)
    else:
        assert read_time(text) == datetime_of(expected)
