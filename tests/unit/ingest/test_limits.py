import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.limits import BytesInFlight, RateLimits
from shared.errors import Overloaded
from shared.http.problems import TooManyRequests
from shared.instants import SECOND
from shared.sources import RateLimit, SourceSettings
from shared.token_bucket import TokenBucket
from tests.strategies.items import NOW, source_with

LIMITED = source_with(SourceSettings(rate_limit=RateLimit(per_second=10, burst=20)))


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


def test_a_source_without_a_limit_may_send_anything() -> None:
    rates = RateLimits(Hand())
    for _ in range(1_000):
        rates.take(source_with(), 1_000)


def test_a_burst_passes_at_once_and_then_as_much_as_the_rate_lets() -> None:
    clock = Hand()
    rates = RateLimits(clock)
    for _ in range(20):
        rates.take(LIMITED, 1)
    with pytest.raises(TooManyRequests) as refused:
        rates.take(LIMITED, 5)
    assert refused.value.retry_after_seconds == 1
    clock.now += SECOND // 2
    rates.take(LIMITED, 5)
    with pytest.raises(TooManyRequests):
        rates.take(LIMITED, 1)


def test_a_request_larger_than_the_burst_passes_when_nothing_else_was_sent_and_is_paid_off() -> (
    None
):
    clock = Hand()
    rates = RateLimits(clock)
    rates.take(LIMITED, 100)
    with pytest.raises(TooManyRequests) as refused:
        rates.take(LIMITED, 1)
    assert refused.value.retry_after_seconds == 9
    clock.now += 8 * SECOND
    with pytest.raises(TooManyRequests):
        rates.take(LIMITED, 1)
    clock.now += SECOND
    rates.take(LIMITED, 1)


def test_a_request_without_items_counts_as_one() -> None:
    rates = RateLimits(Hand())
    for _ in range(20):
        rates.take(LIMITED, 0)
    with pytest.raises(TooManyRequests):
        rates.take(LIMITED, 0)


def test_sources_do_not_share_a_bucket() -> None:
    rates = RateLimits(Hand())
    rates.take(LIMITED, 20)
    rates.take(source_with(LIMITED.settings, name="other"), 20)


def test_a_changed_limit_counts_from_the_next_request_on() -> None:
    rates = RateLimits(Hand())
    rates.take(LIMITED, 20)
    rates.take(source_with(SourceSettings(rate_limit=RateLimit(per_second=10, burst=21))), 21)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 3 * SECOND)), max_size=60))
def test_no_more_passes_than_the_rate_and_the_burst_and_one_request_allow(
    requests: list[tuple[int, int]],
) -> None:
    bucket = TokenBucket(RateLimit(per_second=10, burst=20))
    now, passed, largest = NOW, 0, 0
    for tokens, pause in requests:
        now += pause
        wait = bucket.take(tokens, now)
        if wait == 0:
            passed, largest = passed + tokens, max(largest, tokens)
        else:
            assert bucket.take(tokens, now + wait - 2) > 0
    assert passed <= 20 + 10 * (now - NOW) / SECOND + largest + 1


def test_what_is_in_flight_together_is_bounded() -> None:
    in_flight = BytesInFlight(100)
    with in_flight.hold(60):
        with in_flight.hold(40), pytest.raises(Overloaded), in_flight.hold(1):
            pass
        with in_flight.hold(40):
            pass
    with in_flight.hold(100):
        pass


def test_what_failed_is_not_held_any_longer() -> None:
    in_flight = BytesInFlight(100)
    with pytest.raises(KeyError), in_flight.hold(100):
        raise KeyError
    with in_flight.hold(100):
        pass
