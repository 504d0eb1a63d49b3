"""A source that goes silent or wrong shows itself; one that is as usual does not."""

from services.api.source_health import FAULTS, FEWEST, SILENT_AFTER, SourceHealth, Volume
from shared.instants import DAY, HOUR, parse_rfc3339

NOW = parse_rfc3339("2026-01-05T10:00:00Z")


def volume(received: int, **faults: int) -> Volume:
    return Volume(received, dict.fromkeys(FAULTS, 0) | faults)


def source(
    *, last: int = NOW, recent: Volume | None = None, usual: Volume | None = None, hours: int = 168
) -> SourceHealth:
    return SourceHealth(
        "shop", last, recent or volume(1_000), usual or volume(0), hours if usual else 0
    )


def test_a_source_that_sends_as_usual_shows_no_sign() -> None:
    assert source(usual=volume(7_000, late=50)).signs(NOW) == []


def test_a_source_that_usually_sends_and_does_not_is_silent() -> None:
    gone = source(last=NOW - SILENT_AFTER, usual=volume(7_000))
    assert gone.signs(NOW) == ["silent"]
    assert gone.document(NOW)["silent_seconds"] == 3 * 3_600


def test_a_source_that_rarely_sends_is_not_silent_between() -> None:
    assert source(last=NOW - DAY, recent=volume(0), usual=volume(30)).signs(NOW) == []


def test_a_new_source_is_not_silent() -> None:
    assert source(last=NOW - DAY, recent=volume(5)).signs(NOW) == []


def test_a_share_that_is_high_and_unusual_is_a_sign() -> None:
    wrong = source(recent=volume(1_000, rejected=60), usual=volume(7_000, rejected=70))
    assert wrong.signs(NOW) == ["rejected"]
    as_ever = source(recent=volume(1_000, duplicate=60), usual=volume(7_000, duplicate=400))
    assert as_ever.signs(NOW) == []


def test_a_share_of_few_says_nothing() -> None:
    assert source(recent=volume(FEWEST - 1, rejected=10)).signs(NOW) == []


def test_a_new_website_of_anonymous_visitors_is_as_it_should_be() -> None:
    assert source(recent=volume(500, unidentified=500)).signs(NOW) == []


def test_a_shop_till_whose_cards_are_no_longer_read_is_not() -> None:
    till = source(recent=volume(500, unidentified=500), usual=volume(3_500, unidentified=35))
    assert till.signs(NOW) == ["unidentified"]


def test_a_day_is_compared_with_the_usual_day() -> None:
    document = source(usual=volume(480), hours=48).document(NOW)
    assert (document["last_day"], document["usual_day"]) == (1_000, 240.0)
    assert source(last=NOW - HOUR).document(NOW)["silent_seconds"] == 3_600
