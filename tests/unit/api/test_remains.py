"""What a certificate says of bytes that may be left: no more than is known."""

from services.api.remains import Remains, Unheard
from shared.instants import DAY, HOUR, MINUTE, parse_rfc3339
from shared.log.kafka_keeping import longest_kept
from shared.log.port import Keeping

AT = parse_rfc3339("2026-01-05T10:00:00Z")
WEEK = str(7 * 24 * 3_600 * 1_000)


def told(remains: Remains) -> dict[str, tuple[str, str | None]]:
    """Return detail and time by name."""
    return {
        str(one["what"]): (
            str(one["detail"]),
            None if (gone := one["gone_by"]) is None else str(gone),
        )
        for one in remains.told(AT)
    }


def test_the_embedded_log_is_overwritten_and_has_no_spool() -> None:
    left = told(Remains())
    assert list(left) == ["log_copies", "dead_rows", "write_ahead_log"]
    assert left["log_copies"][1] == "2026-01-05T11:00:00Z"
    assert all(gone_by for _, gone_by in left.values())


def test_kafka_s_copies_go_when_its_topic_says() -> None:
    keeping = longest_kept({"t": {"segment.ms": "3600000", "retention.ms": WEEK}})
    assert keeping.longest == HOUR + 7 * DAY + HOUR
    detail, gone_by = told(Remains(on_kafka=True, keeping=keeping))["log_copies"]
    assert gone_by == "2026-01-12T12:00:00Z"
    assert f"t has segment.ms 3600000, retention.ms {WEEK}" in detail


def test_of_several_topics_the_one_that_keeps_the_longest_counts() -> None:
    short, long = {"segment.ms": "1000", "retention.ms": "1000"}, {"segment.ms": "1000"}
    keeping = longest_kept({"short": short, "long": {**long, "retention.ms": WEEK}, "last": short})
    assert keeping.why.startswith("long ")


def test_copies_of_a_topic_that_keeps_for_ever_never_go_and_the_certificate_says_why() -> None:
    for settings in (
        {"segment.ms": "1000", "retention.ms": "-1"},
        {"segment.ms": "1000", "retention.ms": WEEK, "cleanup.policy": "compact"},
    ):
        keeping = longest_kept({"other": {"segment.ms": "1", "retention.ms": "1"}, "t": settings})
        detail, gone_by = told(Remains(on_kafka=True, keeping=keeping))["log_copies"]
        assert gone_by is None
        assert "never go: t has cleanup.policy" in detail


def test_a_topic_that_deletes_what_it_compacts_deletes() -> None:
    settings = {"segment.ms": "1000", "retention.ms": WEEK, "cleanup.policy": "compact,delete"}
    assert longest_kept({"t": settings}).longest is not None


def test_where_kafka_was_not_to_be_asked_no_time_is_promised() -> None:
    detail, gone_by = told(Remains(on_kafka=True))["log_copies"]
    assert gone_by is None
    assert "Kafka did not say" in detail


def test_spools_are_swept_within_a_minute_unless_their_ingest_is_gone() -> None:
    keeping = Keeping(DAY, "so")
    assert told(Remains(on_kafka=True, keeping=keeping))["spool"][1] == "2026-01-05T10:01:00Z"
    gone = Unheard("spool-1a", AT - 5 * MINUTE)
    detail, gone_by = told(Remains(on_kafka=True, keeping=keeping, unheard=(gone,)))["spool"]
    assert gone_by is None
    assert "spool-1a since 2026-01-05T09:55:00Z" in detail
