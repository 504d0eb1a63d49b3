"""What holds a secret does not say it: not printed, not in an error."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from services.api.settings import ApiSettings
from services.classifier.settings import ClassifierSettings
from services.cli.connection import Credentials, Target
from services.ingest.settings import IngestSettings
from services.standalone.postgres import PostgresAddress
from services.standalone.secrets import Secrets
from shared.erasure import Digests
from shared.keys import MintedKey
from shared.log.kafka_settings import KafkaSettings
from shared.sources import Hook, Source, SourceSettings, Vendor
from shared.storage.engine import open_engine
from shared.touchpoints import Channel

CANARY: Final = "canary-0123456789"
URL: Final = f"postgresql://ana:{CANARY}@127.0.0.1:1/nothing"
SERVICES: Final = (ApiSettings, ClassifierSettings, IngestSettings)

HOLDERS: Final[dict[str, Callable[[], object]]] = {
    "a new key": lambda: MintedKey("AbCdEf12", CANARY),
    "a target": lambda: Target("http://x.test", CANARY),
    "credentials": lambda: Credentials(
        url="http://x.test", source="web", write_key=CANARY, secret_key=CANARY
    ),
    "secrets": lambda: Secrets(key_pepper=CANARY.encode(), cursor_secret=CANARY.encode()),
    "digests": lambda: Digests(CANARY.encode()),
    "a source": lambda: Source(
        "web", Channel.WEB, SourceSettings(hooks={Vendor.STRIPE: Hook((CANARY,))})
    ),
    "a database": lambda: PostgresAddress(Path("/x"), 1, "ana", CANARY, "db"),
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Secrets in every variable that may hold one."""
    for prefix in ("API", "CLASSIFIER", "INGEST"):
        monkeypatch.setenv(f"{prefix}_DATABASE_URL", URL)
        monkeypatch.setenv(f"{prefix}_KAFKA_BOOTSTRAP", "127.0.0.1:9")
    monkeypatch.setenv("KEY_PEPPER", CANARY)
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("KAFKA_SASL_USERNAME", "ana")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", CANARY)
    return monkeypatch


@pytest.mark.parametrize("what", HOLDERS)
def test_what_holds_a_secret_is_printed_without_it(what: str) -> None:
    holder = HOLDERS[what]()
    assert CANARY not in f"{holder!r} {holder}"


@pytest.mark.parametrize("kind", [*SERVICES, KafkaSettings])
@pytest.mark.usefixtures("environment")
def test_settings_are_printed_without_secrets(kind: type[BaseSettings]) -> None:
    settings = kind()
    assert CANARY not in f"{settings!r} {settings}"


@pytest.mark.parametrize("kind", SERVICES)
def test_an_error_of_settings_does_not_quote_them(
    environment: pytest.MonkeyPatch, kind: type[BaseSettings]
) -> None:
    environment.setenv("KEY_PEPPER", CANARY[:8])
    with pytest.raises(ValidationError) as refused:
        kind()
    assert CANARY[:8] not in f"{refused.value!r} {refused.value}"


async def test_an_engine_is_printed_without_the_password() -> None:
    async with open_engine(URL) as engine:
        assert CANARY not in f"{engine!r} {engine} {engine.url!r} {engine.url}"
        with pytest.raises(ConnectionRefusedError) as refused:
            await engine.connect().start()
        assert CANARY not in f"{refused.value!r}"
