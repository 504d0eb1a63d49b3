from services.api.freshness import freshness
from shared.instants import SECOND, parse_rfc3339

NOW = parse_rfc3339("2025-03-01T12:00:00Z")


def test_an_answer_reaches_as_far_as_every_partition_was_read() -> None:
    assert freshness(NOW, NOW - 1_500_000).document() == {
        "as_of": "2025-03-01T11:59:58.5Z",
        "lag_seconds": 1.5,
        "stale": False,
    }


def test_an_answer_never_reaches_into_the_future() -> None:
    answer = freshness(NOW, NOW + 60 * SECOND)
    assert (answer.as_of, answer.lag) == (NOW, 0)


def test_over_ten_seconds_is_stale_and_ten_are_not() -> None:
    assert not freshness(NOW, NOW - 10 * SECOND).stale
    assert freshness(NOW, NOW - 10 * SECOND - 1).stale


def test_what_was_never_read_to_its_end_is_stale_without_a_time() -> None:
    assert freshness(NOW, None).document() == {"as_of": None, "lag_seconds": None, "stale": True}
