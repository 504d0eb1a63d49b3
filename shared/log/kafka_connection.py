"""Connections to Kafka: where, with which credentials, and how long anything may take."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import ConsumerStoppedError, KafkaError, ProducerClosed
from aiokafka.helpers import create_ssl_context

from shared.errors import LogUnavailable, SetupError
from shared.log.kafka_settings import KafkaSettings

METADATA_AGE_SECONDS: Final = 30.0
"""After how long at most a new partition, or a new leader, is known."""

_MILLISECONDS: Final = 1_000
_CLOSE_SECONDS: Final = 5.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """A cluster and how it is spoken to.

    Args:
        bootstrap: ``host:port``, several with commas.
        settings: Credentials, topics, timeouts.
        name: Of this client, for the broker's logs and quotas.
    """

    bootstrap: str
    settings: KafkaSettings
    name: str

    @property
    def call_seconds(self) -> float:
        """How long one call may take in which a connection is made and a leader looked for."""
        return 2 * self.settings.request_timeout + 1

    def options(self) -> Mapping[str, object]:
        """Return what every client of the cluster is made with.

        Raises:
            SetupError: a certificate cannot be read; says which.
        """
        settings = self.settings
        password = settings.sasl_password
        return {
            "bootstrap_servers": self.bootstrap,
            "client_id": self.name,
            "request_timeout_ms": int(settings.request_timeout * _MILLISECONDS),
            "metadata_max_age_ms": int(METADATA_AGE_SECONDS * _MILLISECONDS),
            "security_protocol": settings.security_protocol,
            "ssl_context": _ssl_context(settings),
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": password.get_secret_value() if password else None,
            "sasl_oauth_token_provider": (
                _TokenFile(settings.token_file) if settings.token_file else None
            ),
        }


class _TokenFile(AbstractTokenProvider):
    """Reads a token from a file that something else keeps fresh."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        return await asyncio.to_thread(lambda: self._path.read_text("utf-8").strip())


def _ssl_context(settings: KafkaSettings) -> object:
    """Return what verifies the broker's certificate and name; None without TLS."""
    if not settings.security_protocol.endswith("SSL"):
        return None
    try:
        return create_ssl_context(cafile=settings.ca_file, certfile=settings.certificate_file)
    except OSError as error:
        raise SetupError(
            f"KAFKA_CA_FILE or KAFKA_CERTIFICATE_FILE cannot be used: {error}"
        ) from error


@asynccontextmanager
async def bounded(seconds: float, what: str) -> AsyncIterator[None]:
    """Give the block *seconds*, and tell what Kafka does wrong in this system's words.

    Args:
        seconds: After which nobody waits any longer; whether it still happens is unknown.
        what: Completes "Kafka did not …".

    Raises:
        LogUnavailable: it took longer, or Kafka refused.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise LogUnavailable(f"Kafka did not {what} within {seconds:g} s") from error
    except (KafkaError, ConsumerStoppedError, ProducerClosed, OSError, RuntimeError) as error:
        # RuntimeError is what uvloop says of a connection that was reset a moment ago.
        raise LogUnavailable(f"Kafka did not {what}: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """Return what an error of the client means, in one line."""
    return str(error).split("\n", 1)[0] or type(error).__name__


async def close_quietly(closing: Awaitable[object], seconds: float = _CLOSE_SECONDS) -> None:
    """Close a client, and abandon it if that takes longer than *seconds* or fails."""
    try:
        async with asyncio.timeout(seconds):
            await closing
    except (TimeoutError, KafkaError, ConsumerStoppedError, ProducerClosed, OSError):
        return
