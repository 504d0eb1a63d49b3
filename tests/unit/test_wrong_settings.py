"""What a service says of settings that are wrong."""

import pytest
from pydantic import ValidationError

from services.classifier.settings import ClassifierSettings
from shared.lifecycle import wrong_settings

COMPLETE = {
    "CLASSIFIER_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
    "CLASSIFIER_KAFKA_BOOTSTRAP": "127.0.0.1:9",
}


def complaint(monkeypatch: pytest.MonkeyPatch, **changed: str | None) -> str:
    for name, value in {**COMPLETE, **changed}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as refused:
        ClassifierSettings()
    return wrong_settings(ClassifierSettings, refused.value)


def test_no_log_and_two_logs_are_refused_with_both_names(monkeypatch: pytest.MonkeyPatch) -> None:
    both = "name one log: CLASSIFIER_KAFKA_BOOTSTRAP or CLASSIFIER_LOG_PATH"
    for changed in ({"CLASSIFIER_KAFKA_BOOTSTRAP": None}, {"CLASSIFIER_LOG_PATH": "log.sqlite"}):
        with monkeypatch.context() as patch:
            assert both in complaint(patch, **changed)


def test_a_wrong_setting_of_kafka_is_named_as_it_is_set_and_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = complaint(monkeypatch, KAFKA_REQUEST_TIMEOUT="canary")
    assert "KAFKA_REQUEST_TIMEOUT" in told
    assert "CLASSIFIER_KAFKA_REQUEST" not in told
    assert "canary" not in told


def test_missing_credentials_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    told = complaint(monkeypatch, KAFKA_SECURITY_PROTOCOL="SASL_SSL")
    assert told == "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD are needed"


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**COMPLETE, "CLASSIFIER_LOG_PATH": "", "KAFKA_CA_FILE": ""}.items():
        monkeypatch.setenv(name, value)
    settings = ClassifierSettings()
    assert (settings.log_path, settings.kafka.ca_file) == (None, None)
