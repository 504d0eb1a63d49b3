"""What the clients of Kafka are made with: nothing that matters is left to a default."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.log.kafka_connection import KafkaAddress
from shared.log.kafka_preflight import topic_faults
from shared.log.kafka_producer import producer_options
from shared.log.kafka_reader import consumer_options
from shared.log.kafka_settings import KafkaSettings
from shared.log.kafka_topic import PartitionState, TopicState

ADDRESS = KafkaAddress("127.0.0.1:9", KafkaSettings(), "test")
SOUND = {
    "cleanup.policy": "delete",
    "max.message.bytes": "1048588",
    "min.insync.replicas": "2",
    "retention.ms": "604800000",
    "unclean.leader.election.enable": "false",
}


def test_the_producer_confirms_on_all_copies_and_never_wedges_on_sequence_numbers() -> None:
    options = producer_options(ADDRESS)
    assert options["acks"] == "all"
    assert options["enable_idempotence"] is False
    assert options["request_timeout_ms"] == 5_000
    assert options["max_batch_size"] == 1 << 20


def test_the_consumer_commits_resets_and_gives_up_nothing_by_itself() -> None:
    options = consumer_options(ADDRESS, "group")
    expected = {
        "group_id": "group",
        "group_instance_id": None,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
        "session_timeout_ms": 45_000,
        "heartbeat_interval_ms": 5_000,
        "rebalance_timeout_ms": 60_000,
        "max_poll_interval_ms": 300_000,
        "fetch_max_bytes": 8 << 20,
        "request_timeout_ms": 5_000,
    }
    assert {name: options[name] for name in expected} == expected


@pytest.mark.parametrize("seconds", [0.4, 11])
def test_no_call_may_wait_for_long(seconds: float) -> None:
    with pytest.raises(ValidationError):
        KafkaSettings(request_timeout=seconds)


def test_credentials_are_asked_for_where_they_are_needed() -> None:
    with pytest.raises(ValidationError, match="KAFKA_SASL_USERNAME"):
        KafkaSettings(security_protocol="SASL_SSL")
    with pytest.raises(ValidationError, match="KAFKA_TOKEN_FILE"):
        KafkaSettings(security_protocol="SASL_SSL", sasl_mechanism="OAUTHBEARER")
    KafkaSettings(
        security_protocol="SASL_SSL", sasl_mechanism="OAUTHBEARER", token_file=Path("token")
    )


def test_a_password_is_not_shown() -> None:
    settings = KafkaSettings.model_validate(
        {"security_protocol": "SASL_SSL", "sasl_username": "u", "sasl_password": "canary"}
    )
    assert "canary" not in repr(settings)
    assert "canary" not in repr(KafkaAddress("127.0.0.1:9", settings, "test"))


def _topic(copies: int) -> TopicState:
    everyone = tuple(range(copies))
    return TopicState("id", {0: PartitionState(0, everyone, everyone)})


def test_a_topic_that_keeps_what_it_confirms_has_no_faults() -> None:
    assert topic_faults(_topic(3), SOUND) == []


@pytest.mark.parametrize(
    ("setting", "value", "named"),
    [
        ("cleanup.policy", "compact", "cleanup.policy"),
        ("max.message.bytes", "1000", "max.message.bytes"),
        ("min.insync.replicas", "1", "min.insync.replicas"),
        ("retention.ms", "3600000", "retention.ms"),
        ("unclean.leader.election.enable", "true", "unclean.leader.election.enable"),
    ],
)
def test_each_setting_that_may_lose_records_is_a_fault(
    setting: str, value: str, named: str
) -> None:
    [fault] = topic_faults(_topic(3), {**SOUND, setting: value})
    assert named in fault


def test_too_few_copies_are_a_fault() -> None:
    [fault] = topic_faults(_topic(2), SOUND)
    assert "2 copies" in fault
