"""Settings of the classifier."""

from typing import Annotated, Final

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.log.choosing import LogSettings

PREFIX: Final = "CLASSIFIER_"


class ClassifierSettings(LogSettings):
    """Everything the classifier reads from its environment, and nothing else.

    Built once, in ``__main__``; every other module is handed the values it needs.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    database_url: Annotated[str, Field(repr=False, description="postgresql://…, the primary")]
    kafka_group: Annotated[
        str, Field(min_length=1, description="whose members share the partitions")
    ] = "journeyline-classifier"
    accept_log: Annotated[
        str | None, Field(description="the log that may follow one that is gone")
    ] = None
    key_pepper: Annotated[
        SecretStr | None,
        Field(
            validation_alias="KEY_PEPPER",
            min_length=16,
            description="recognises what was erased; needed once something was",
        ),
    ] = None
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8082
    pool_size: Annotated[int, Field(ge=2, le=50)] = 8
    timer_grace: Annotated[int, Field(ge=0, description="seconds a deadline waits longer")] = 0
    outbox_days: Annotated[int, Field(ge=1, description="days the feed reaches back")] = 30

    @property
    def pepper(self) -> bytes | None:
        """What digests of erased things are made under."""
        return None if self.key_pepper is None else self.key_pepper.get_secret_value().encode()
