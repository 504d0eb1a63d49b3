"""What requests may ask, and how it is read; a parameter that is not named here is refused."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from services.api.cursors import MAX_CHARACTERS
from services.api.timeline import Kind
from shared.identity.customers import SHARED_ABOVE
from shared.instants import Instant, parse_rfc3339
from shared.journey.conditions import ActivityState
from shared.journey.model import Role
from shared.touchpoints import Channel

LONGEST_WAIT_SECONDS: Final = 60.0
LONGEST_ACTIVATION_SECONDS: Final = 600.0


def _instant(text: object) -> Instant:
    return parse_rfc3339(str(text))


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not hold a NUL character")
    return text


def _encodable(text: str) -> str:
    """Refuse what Python's JSON reads and the database does not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must not hold a lone surrogate") from None
    return _storable(text)


def _split(texts: object) -> object:
    """Take ``a,b`` for ``a`` and ``b``."""
    if not isinstance(texts, list):
        return texts
    return [part for text in texts for part in str(text).split(",")]


Moment = Annotated[
    Instant,
    BeforeValidator(_instant, json_schema_input_type=str),
    Field(json_schema_extra={"type": "string", "format": "date-time"}),
]
"""A time as RFC 3339 text; an instant once read."""

Text = Annotated[str, Field(max_length=200), AfterValidator(_storable)]
"""A text that PostgreSQL can compare with."""

Line = Annotated[str, Field(max_length=500), AfterValidator(_encodable)]
"""A line of text that PostgreSQL can store."""

CursorText = Annotated[str, Field(max_length=MAX_CHARACTERS, description="`next` of a page")]
ModelName = Annotated[Text, Field(description="key of an active model, or any version")]
PersonaKey = Annotated[Text, Field(description="key of a persona")]


class Parameters(BaseModel):
    """What every set of parameters shares: nothing beyond what it names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoParameters(Parameters):
    """For routes that take none, so that a misspelt one is told."""


class Identity(BaseModel):
    """A touchpoint's source and event id."""

    model_config = ConfigDict(frozen=True)

    source: Text
    event_id: Text


def _identity(text: object) -> Identity | object:
    """Split ``SOURCE/EVENT_ID`` at its first slash; an event id may hold more of them."""
    if not isinstance(text, str):
        return text
    source, slash, event_id = text.partition("/")
    if not slash or not source or not event_id:
        raise ValueError("must be SOURCE/EVENT_ID")
    return Identity(source=source, event_id=event_id)


class Waiting(Parameters):
    """Parameters of every answer about one customer."""

    wait_for: Annotated[
        Identity | None,
        BeforeValidator(_identity, json_schema_input_type=str),
        Field(
            description="SOURCE/EVENT_ID: answer once that touchpoint has a verdict",
            json_schema_extra={"type": "string"},
        ),
    ] = None
    timeout: Annotated[
        float, Field(ge=0, le=LONGEST_WAIT_SECONDS, description="seconds to wait, then 504")
    ] = 5.0


class TimelineParameters(Waiting):
    """Parameters of a timeline page."""

    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: CursorText | None = None
    order: Literal["desc", "asc"] = "desc"
    start: Annotated[Moment | None, Field(alias="from", description="inclusive")] = None
    end: Annotated[Moment | None, Field(alias="to", description="exclusive")] = None
    channel: list[Channel] = []
    type: Annotated[list[Text], Field(max_length=100)] = []
    kinds: Annotated[list[Kind], BeforeValidator(_split)] = list(Kind)
    model: ModelName | None = None
    known_at: Annotated[Moment | None, Field(description="only what was recorded by then")] = None
    superseded: Annotated[bool, Field(description="also transitions that were taken back")] = False


class SharedParameters(Parameters):
    """Parameters of the list of shared identifiers."""

    above: Annotated[int, Field(ge=1, le=1_000_000, description="refused links")] = SHARED_ABOVE
    limit: Annotated[int, Field(ge=1, le=500)] = 50


class PolicyParameters(Parameters):
    """Parameters of a policy to put in force."""

    reason: Annotated[Line, Field(description="why; kept in the audit")] = ""
    dry_run: Annotated[bool, Field(description="only check it")] = False


class JourneyParameters(Waiting):
    """Parameters of a journey."""

    model: ModelName | None = None
    as_of: Annotated[Moment | None, Field(description="valid time")] = None
    known_at: Annotated[Moment | None, Field(description="what was believed then")] = None


class ReceiptParameters(Parameters):
    """Parameters that name a touchpoint."""

    source: Text
    event_id: Text


class StagesParameters(Parameters):
    """Parameters of the stages."""

    model: ModelName | None = None


class ActivationParameters(Parameters):
    """Parameters of an activation."""

    timeout: Annotated[
        float, Field(ge=0, le=LONGEST_ACTIVATION_SECONDS, description="seconds to wait, then 202")
    ] = 60.0


class RollbackParameters(ActivationParameters):
    """Parameters of a rollback."""

    key: Annotated[Text | None, Field(description="of the model; else the default model's")] = None


class DiffParameters(ActivationParameters):
    """Parameters of a diff of two versions."""

    against: Annotated[
        Text | None,
        Field(description="a version, or the key of an active model; else the active version"),
    ] = None
    as_of: Annotated[Moment | None, Field(description="valid time")] = None
    before: Annotated[
        Text | None, Field(alias="from", description="stage under `against`, or `none`")
    ] = None
    after: Annotated[
        Text | None, Field(alias="to", description="stage under this version, or `none`")
    ] = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: CursorText | None = None


class ExplanationParameters(Waiting):
    """Parameters of an explanation."""

    model: ModelName | None = None
    as_of: Annotated[Moment | None, Field(description="valid time")] = None


class QuarantineParameters(Parameters):
    """Parameters of a page of the quarantine."""

    reason: Text | None = None
    source: Text | None = None
    status: Literal["open", "redriven", "discarded"] | None = None
    since: Annotated[Moment | None, Field(description="received at or after")] = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: CursorText | None = None


class StreamParameters(Parameters):
    """Parameters of where to begin in the feed of transitions."""

    cursor: CursorText | None = None
    start: Annotated[
        Literal["oldest", "latest"], Field(description="where to begin without a cursor")
    ] = "oldest"


class FeedParameters(StreamParameters):
    """Parameters of a page of the feed of transitions."""

    limit: Annotated[int, Field(ge=1, le=500)] = 50


class DeliveryParameters(Parameters):
    """Parameters of a page of deliveries."""

    status: Literal["pending", "delivered", "failed"] | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: CursorText | None = None


class ProfileListParameters(Parameters):
    """Parameters of a list about one profile, as Segment's Profile API names them."""

    limit: Annotated[int, Field(ge=1, le=200)] = 10
    next: Annotated[str | None, Field(max_length=MAX_CHARACTERS)] = None
    include: Annotated[Line | None, Field(description="names, separated by commas")] = None
    exclude: Annotated[Line | None, Field(description="names, separated by commas")] = None


class ProfileEventsParameters(ProfileListParameters):
    """Parameters of a profile's events."""

    limit: Annotated[int, Field(ge=1, le=100)] = 10
    sort: Literal["asc", "desc"] = "desc"
    start: Annotated[Moment | None, Field(description="inclusive")] = None
    end: Annotated[Moment | None, Field(description="exclusive")] = None


class CustomerListParameters(Parameters):
    """Parameters of a page of customers."""

    stage: Text | None = None
    role: Role | None = None
    phase: Text | None = None
    activity: ActivityState | None = None
    channel: Channel | None = None
    first_channel: Channel | None = None
    model: ModelName | None = None
    persona: PersonaKey | None = None
    seen_since: Annotated[Moment | None, Field(description="last touchpoint then or later")] = None
    q: Annotated[
        Text | None, Field(description="what an identifier begins with; kind:prefix or prefix")
    ] = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: CursorText | None = None


class AuditParameters(Parameters):
    """Parameters of a page of the audit."""

    actor: Text | None = None
    action: Text | None = None
    subject: Line | None = None
    since: Annotated[Moment | None, Field(description="done then or later")] = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: CursorText | None = None


class ErasureParameters(Parameters):
    """Parameters of an erasure."""

    dry_run: Annotated[bool, Field(description="only list the identifiers")] = False
    suppress: Annotated[bool, Field(description="keep out what carries them later")] = True
    identifier: Annotated[
        list[Line] | None, Field(description="exactly those that a dry run listed")
    ] = None
