"""Settings of Kafka that all services share."""

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.log.embedded import TOPIC

TRANSITIONS_TOPIC: Final = "journeyline.transitions"


class KafkaSettings(BaseSettings):
    """How Kafka is spoken to; read from the environment once, with a service's own settings."""

    model_config = SettingsConfigDict(
        env_prefix="KAFKA_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    topic: Annotated[str, Field(min_length=1, max_length=249)] = TOPIC
    transitions_topic: Annotated[str, Field(min_length=1, max_length=249)] = TRANSITIONS_TOPIC
    profile: Annotated[
        Literal["production", "development"],
        Field(description="production refuses topics that could lose what they confirmed"),
    ] = "development"
    partitions: Annotated[int, Field(ge=1, le=1_024, description="of topics that are made")] = 12
    replication: Annotated[int, Field(ge=1, le=10, description="of topics that are made")] = 3
    request_timeout: Annotated[float, Field(ge=0.5, le=10, description="seconds")] = 5
    session_timeout: Annotated[float, Field(ge=1, le=300, description="seconds")] = 45
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    ca_file: Annotated[Path | None, Field(description="PEM; default: the system's")] = None
    certificate_file: Annotated[Path | None, Field(description="PEM with its key")] = None
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = (
        "SCRAM-SHA-512"
    )
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    token_file: Annotated[
        Path | None, Field(description="OAUTHBEARER: holds the token, read at each connection")
    ] = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if not self.security_protocol.startswith("SASL"):
            return self
        if self.sasl_mechanism == "OAUTHBEARER":
            if self.token_file is None:
                raise ValueError("KAFKA_TOKEN_FILE is needed for OAUTHBEARER")
        elif not self.sasl_username or self.sasl_password is None:
            raise ValueError("KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD are needed")
        return self
