"""Every setting is written down, and nothing else is."""

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from services.api.settings import ApiSettings
from services.classifier.settings import ClassifierSettings
from services.ingest.settings import IngestSettings
from shared.log.kafka_settings import KafkaSettings

EXAMPLE = Path(__file__).parents[2] / ".env.example"
SERVICES: tuple[type[BaseSettings], ...] = (ApiSettings, ClassifierSettings, IngestSettings)


def variables(settings: type[BaseSettings]) -> set[str]:
    prefix = settings.model_config["env_prefix"]
    names: set[str] = set()
    for name, field in settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseSettings):
            names |= variables(field.annotation)
        else:
            names.add(str(field.validation_alias or prefix + name.upper()))
    return names


def test_the_example_lists_every_setting_and_no_other() -> None:
    listed = set(re.findall(r"^([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE))
    assert listed == set().union(*map(variables, SERVICES))


@pytest.mark.parametrize("settings", [*SERVICES, KafkaSettings])
def test_a_service_has_few_settings(settings: type[BaseSettings]) -> None:
    assert len(settings.model_fields) <= 15
