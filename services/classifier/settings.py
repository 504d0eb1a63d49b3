"""Settings of the classifier."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX: Final = "CLASSIFIER_"


class ClassifierSettings(BaseSettings):
    """Everything the classifier reads from its environment, and nothing else.

    Built once, in ``__main__``; every other module is handed the values it needs.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    database_url: Annotated[str, Field(description="postgresql://…, the primary")]
    log_path: Annotated[Path, Field(description="the embedded log's file")]
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8082
    pool_size: Annotated[int, Field(ge=2, le=50)] = 8
    timer_grace: Annotated[int, Field(ge=0, description="seconds a deadline waits longer")] = 0
    outbox_days: Annotated[int, Field(ge=1, description="days the feed reaches back")] = 30
