"""When messages are sent again, by the clock of the one who asks."""

import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers, text

from services.api.webhooks.schedule import (
    DELAYS,
    LONGEST_ASKED,
    LONGEST_PAUSE,
    asked_pause,
    next_attempt,
    pause_of,
)
from shared.instants import HOUR, MINUTE, SECOND, parse_rfc3339

NOW = parse_rfc3339("2026-01-05T10:00:00Z")


def test_the_schedule_is_the_one_of_standard_webhooks() -> None:
    due = [next_attempt(failed, NOW, 0.0) for failed in range(1, 11)]
    after = [None if at is None else (at - NOW) // SECOND for at in due]
    hours = 3_600
    assert after == [
        5,
        5 * 60,
        30 * 60,
        *(n * hours for n in (2, 5, 10, 14, 20, 24)),
        None,
    ]


@given(integers(1, len(DELAYS)), floats(0, 1))
def test_jitter_only_adds_and_only_a_tenth(failed: int, chance: float) -> None:
    at = next_attempt(failed, NOW, chance)
    assert at is not None
    assert DELAYS[failed - 1] <= at - NOW <= DELAYS[failed - 1] * 1.1


def test_an_endpoint_is_left_alone_longer_and_longer_but_not_for_long() -> None:
    pauses = [pause_of(failures, NOW) - NOW for failures in range(1, 40)]
    assert pauses[:3] == [5 * SECOND, 10 * SECOND, 20 * SECOND]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE == 5 * MINUTE


@pytest.mark.parametrize(
    ("asked", "until"),
    [
        ("120", NOW + 120 * SECOND),
        (" 7 ", NOW + 7 * SECOND),
        ("0", NOW),
        ("Mon, 05 Jan 2026 12:00:00 GMT", NOW + 2 * HOUR),
        ("Mon, 05 Jan 2026 09:00:00 GMT", NOW),
        ("999999999999999999999", NOW + LONGEST_ASKED),
        ("Mon, 05 Jan 2036 12:00:00 GMT", NOW + LONGEST_ASKED),
        ("soon", None),
        ("-5", None),
        ("", None),
        (None, None),
    ],
)
def test_what_an_endpoint_asks_for_is_done_within_a_day(asked: str | None, until: object) -> None:
    assert asked_pause(asked, NOW) == until


@given(text())
def test_no_header_breaks_the_reading_of_it(asked: str) -> None:
    until = asked_pause(asked, NOW)
    assert until is None or NOW <= until <= NOW + LONGEST_ASKED
