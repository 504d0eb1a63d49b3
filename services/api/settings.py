"""Settings of the API."""

import hashlib
import hmac
from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.api.request_rates import parse_rate
from shared.log.choosing import LogSettings
from shared.sources import RateLimit

PREFIX: Final = "API_"


def _rate(text: str) -> str:
    parse_rate(text)
    return text


class ApiOptions(BaseSettings):
    """What the API may do, as a service of its own and in the product that is one process."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, hide_input_in_errors=True)

    webhook_allow_private: Annotated[
        bool, Field(description="send webhooks into private networks, and over plain http")
    ] = False
    rate_limit: Annotated[
        str, AfterValidator(_rate), Field(description="requests of a key: 100 a second, 600/60")
    ] = ""

    @property
    def request_rate(self) -> RateLimit | None:
        """How many requests each key may make; None for any number."""
        return parse_rate(self.rate_limit)


class ApiSettings(ApiOptions, LogSettings):
    """Everything the API reads from its environment, and nothing else.

    Built once, in ``__main__``; every other module is handed the values it needs.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    database_url: Annotated[str, Field(repr=False, description="postgresql://…, the primary")]
    replica_url: Annotated[
        str, Field(repr=False, description="postgresql://…, a streaming replica for reads")
    ] = ""
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

    @property
    def cursor_secret(self) -> bytes:
        """What signs cursors: the same in all processes that share the pepper."""
        return hmac.digest(self.pepper, b"journeyline cursors", hashlib.sha256)
