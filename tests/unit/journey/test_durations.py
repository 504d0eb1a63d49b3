import pytest

from shared.instants import DAY, HOUR, MINUTE, SECOND
from shared.journey.durations import parse_duration, write_duration


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("P2W", 14 * DAY),
        ("P14D", 14 * DAY),
        ("PT90M", 90 * MINUTE),
        ("PT1S", SECOND),
        ("P1DT2H3M4S", DAY + 2 * HOUR + 3 * MINUTE + 4 * SECOND),
        ("P3650D", 3_650 * DAY),
    ],
)
def test_weeks_days_hours_minutes_and_seconds_are_read(text: str, micros: int) -> None:
    assert parse_duration(text).micros == micros
    assert parse_duration(text).text == text


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1DT", "P1M", "P1Y", "P1.5D", "-P1D", "p1d", "14D", "P1D ", "P٣D", "P1H"],
)
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="zero"):
        parse_duration("P0DT0S")


@pytest.mark.parametrize("text", ["P3650DT1S", "P999999999W"])
def test_more_than_3650_days_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="longer than 3,650 days"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("micros", "text"),
    [(0, "PT0S"), (DAY, "P1D"), (DAY + 90 * MINUTE, "P1DT1H30M"), (1_999_999, "PT1S")],
)
def test_a_length_of_time_is_written_in_whole_seconds(micros: int, text: str) -> None:
    assert write_duration(micros) == text
