"""Which log a service uses: Kafka, or the embedded one; the same settings and ways for all."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.log.embedded import EmbeddedLog, open_embedded_log
from shared.log.kafka import open_kafka_reader, open_kafka_writer
from shared.log.kafka_connection import KafkaAddress
from shared.log.kafka_ends import KafkaEnds
from shared.log.kafka_keeping import keeping_of
from shared.log.kafka_settings import KafkaSettings
from shared.log.port import Keeping, LogReader, LogWriter


class LogSettings(BaseSettings):
    """Names the log; a service's settings derive from this. An empty variable is none."""

    model_config = SettingsConfigDict(env_ignore_empty=True, hide_input_in_errors=True)

    kafka_bootstrap: Annotated[
        str | None, Field(description="host:port of brokers, with commas; or a log_path")
    ] = None
    log_path: Annotated[
        Path | None, Field(validate_default=True, description="the embedded log's file")
    ] = None
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)

    @field_validator("log_path")
    @classmethod
    def _is_one_log(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        prefix = cls.model_config.get("env_prefix", "")
        if (path is None) == (not info.data.get("kafka_bootstrap")):
            raise ValueError(f"name one log: {prefix}KAFKA_BOOTSTRAP or {prefix}LOG_PATH")
        return path

    def address(self, name: str) -> KafkaAddress | None:
        """Return where Kafka is, for a client called *name*; None for the embedded log."""
        if not self.kafka_bootstrap:
            return None
        return KafkaAddress(self.kafka_bootstrap, self.kafka, name)


@asynccontextmanager
async def open_log_writer(settings: LogSettings, name: str) -> AsyncIterator[LogWriter]:
    """Yield the writer of the log that *settings* name, for a client called *name*.

    Raises:
        SetupError: the embedded log cannot be used, or a certificate of Kafka's; says what to do.
    """
    if (address := settings.address(name)) is not None:
        async with open_kafka_writer(address, settings.kafka.topic) as writer:
            yield writer
    elif settings.log_path is not None:
        async with open_embedded_log(settings.log_path) as log:
            yield log.writer


@dataclass(frozen=True, slots=True)
class BothSides:
    """A log for whoever appends to it and asks how far it reaches, but reads nothing.

    ``ends`` returns for each partition the offset that its next record will get; it raises
    ``LogUnavailable`` while the log cannot be reached.
    """

    writer: LogWriter
    ends: Callable[[], Awaitable[Mapping[int, int]]]
    topic: str
    erasable: EmbeddedLog | None = None
    """The log itself, where its records can be overwritten."""
    keeping: Callable[[], Awaitable[Keeping]] | None = None
    """Else asks for how long records lie there at most; raises ``LogUnavailable``."""


@asynccontextmanager
async def open_both_sides(settings: LogSettings, name: str) -> AsyncIterator[BothSides]:
    """Yield both sides of the log that *settings* name; Kafka may be away meanwhile.

    Raises:
        SetupError: the embedded log cannot be used, or a certificate of Kafka's; says what to do.
    """
    if (address := settings.address(name)) is not None:
        topic = settings.kafka.topic
        async with KafkaEnds(address, topic) as ends, open_kafka_writer(address, topic) as writer:
            keeping = partial(keeping_of, address, (topic, settings.kafka.transitions_topic))
            yield BothSides(writer, ends, topic, keeping=keeping)
    elif settings.log_path is not None:
        async with open_embedded_log(settings.log_path) as log:
            yield BothSides(log.writer, log.reader().end_offsets, log.file.topic, log)


@asynccontextmanager
async def open_log_reader(
    settings: LogSettings, name: str, *, group: str | None
) -> AsyncIterator[LogReader]:
    """Yield a reader of the log that *settings* name.

    Args:
        settings: Which log.
        name: Of the client.
        group: Whose members share the partitions of Kafka; None for all of them.

    Raises:
        LogUnavailable: Kafka cannot be reached.
        SetupError: the log cannot be used; says what to do.
    """
    if (address := settings.address(name)) is not None:
        async with open_kafka_reader(address, settings.kafka.topic, group=group) as reader:
            yield reader
    elif settings.log_path is not None:
        async with open_embedded_log(settings.log_path) as log:
            yield log.reader()
