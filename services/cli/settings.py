"""Settings that commands share with the services, from the same variables."""

from typing import Final

from pydantic import ValidationError

from shared.errors import SetupError
from shared.lifecycle import wrong_settings
from shared.log.kafka_settings import KafkaSettings

DATABASE_VARIABLES: Final = [
    "DATABASE_URL",
    "CLASSIFIER_DATABASE_URL",
    "API_DATABASE_URL",
    "INGEST_DATABASE_URL",
]
"""The first one that is set counts."""

KAFKA_VARIABLES: Final = [
    "KAFKA_BOOTSTRAP",
    "CLASSIFIER_KAFKA_BOOTSTRAP",
    "API_KAFKA_BOOTSTRAP",
    "INGEST_KAFKA_BOOTSTRAP",
]


def kafka_settings() -> KafkaSettings:
    """Return what the KAFKA_… variables say.

    Raises:
        SetupError: one of them is wrong; says which.
    """
    try:
        return KafkaSettings()
    except ValidationError as error:
        raise SetupError(wrong_settings(KafkaSettings, error)) from error
