"""Settings of ingest."""

from typing import Annotated, Final

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.ingest.limits import MOST_BYTES_IN_FLIGHT
from shared.instants import HOUR
from shared.log.choosing import LogSettings
from shared.log.spool import SpoolLimits

PREFIX: Final = "INGEST_"
_MIB: Final = 1 << 20


class IngestSettings(LogSettings):
    """Everything ingest reads from its environment, and nothing else.

    Built once, in ``__main__``; every other module is handed the values it needs.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    database_url: Annotated[
        str, Field(repr=False, description="postgresql://…, for keys and sources")
    ]
    key_pepper: Annotated[
        SecretStr, Field(validation_alias="KEY_PEPPER", min_length=16, description="for digests")
    ]
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8081
    pool_size: Annotated[int, Field(ge=2, le=50)] = 3
    bytes_in_flight: Annotated[
        int, Field(ge=32 * _MIB, description="what all requests may hold together")
    ] = MOST_BYTES_IN_FLIGHT

    spool_path: Annotated[
        str,
        Field(description="a folder on a disk that outlives the process; empty: no spool"),
    ] = ""
    spool_bytes: Annotated[int, Field(ge=_MIB, description="what a spool may take of it")] = (
        256 * _MIB
    )
    spool_hours: Annotated[
        int, Field(ge=1, description="how long a record may wait before no more are taken in")
    ] = 24
    spool_reserve_bytes: Annotated[
        int, Field(ge=0, description="what must stay free of that disk")
    ] = 64 * _MIB

    @property
    def spool_limits(self) -> SpoolLimits:
        """What a spool takes in."""
        return SpoolLimits(
            most_bytes=self.spool_bytes,
            most_age=self.spool_hours * HOUR,
            reserve_bytes=self.spool_reserve_bytes,
        )

    @property
    def pepper(self) -> bytes:
        """What key digests are made under."""
        return self.key_pepper.get_secret_value().encode()
