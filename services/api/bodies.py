"""What requests carry; a field that is not named here is refused."""

from typing import Annotated

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.api.parameters import Moment, Text
from shared.keys import KeyKind
from shared.touchpoints import Channel, JsonObject


def _storable(settings: JsonObject) -> JsonObject:
    """Refuse what Python's JSON reads and the database, or a reader of it, does not."""
    try:
        msgspec.json.encode(settings)
    except (UnicodeEncodeError, OverflowError, RecursionError):
        raise ValueError(
            "holds a lone surrogate, an integer beyond 64 bits, or is nested too deeply"
        ) from None
    return settings


Settings = Annotated[
    JsonObject, AfterValidator(_storable), Field(description="only what differs from the defaults")
]


class Body(BaseModel):
    """What every body shares: nothing beyond what it names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NewSource(Body):
    """A source to make."""

    name: Text
    channel: Annotated[Channel, Field(description="of touchpoints that name none")] = Channel.WEB
    settings: Settings | None = None


class ChangedSource(Body):
    """What to change of a source; null gives a setting its default back."""

    channel: Channel | None = None
    settings: Settings | None = None


class NewKey(Body):
    """A key to make: of a source, or with scopes."""

    kind: KeyKind | None = None
    source: Text | None = None
    scopes: list[Text] = []
    name: Text | None = None
    expires_at: Moment | None = None
