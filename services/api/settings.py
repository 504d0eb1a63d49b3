"""Settings of the API."""

import hashlib
import hmac
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ApiSettings(BaseSettings):
    """Everything the API reads from its environment, and nothing else.

    Built once, in ``__main__``; every other module is handed the values it needs.
    """

    model_config = SettingsConfigDict(env_prefix="API_", frozen=True)

    database_url: Annotated[str, Field(description="postgresql://…, the primary")]
    log_path: Annotated[Path, Field(description="the embedded log's file")]
    topic: Annotated[str, Field(validation_alias="KAFKA_TOPIC")] = "touchpoints"
    key_pepper: Annotated[
        SecretStr, Field(validation_alias="KEY_PEPPER", min_length=16, description="for digests")
    ]
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8083
    pool_size: Annotated[int, Field(ge=2, le=100)] = 10

    @property
    def pepper(self) -> bytes:
        """What key digests are made under."""
        return self.key_pepper.get_secret_value().encode()


def cursor_secret(pepper: bytes) -> bytes:
    """Return the secret that signs cursors: the same in all processes that share *pepper*."""
    return hmac.digest(pepper, b"journeyline cursors", hashlib.sha256)
