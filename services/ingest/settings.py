"""Settings of ingest."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.ingest.limits import MOST_BYTES_IN_FLIGHT

PREFIX: Final = "INGEST_"
_MIB: Final = 1 << 20


class IngestSettings(BaseSettings):
    """Everything ingest reads from its environment, and nothing else.

    Built once, in ``__main__``; every other module is handed the values it needs.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    database_url: Annotated[str, Field(description="postgresql://…, for keys and sources")]
    log_path: Annotated[Path, Field(description="the embedded log's file")]
    key_pepper: Annotated[
        SecretStr, Field(validation_alias="KEY_PEPPER", min_length=16, description="for digests")
    ]
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8081
    pool_size: Annotated[int, Field(ge=2, le=50)] = 3
    bytes_in_flight: Annotated[
        int, Field(ge=32 * _MIB, description="what all requests may hold together")
    ] = MOST_BYTES_IN_FLIGHT

    @property
    def pepper(self) -> bytes:
        """What key digests are made under."""
        return self.key_pepper.get_secret_value().encode()
