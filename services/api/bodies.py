"""What requests carry; a field that is not named here is refused."""

from typing import Annotated

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.api.parameters import Line, Moment, Text
from shared.errors import Fault, Invalid, Unreadable
from shared.identity.identifiers import parse_ref
from shared.keys import KeyKind
from shared.touchpoints import Channel, Identifier, JsonObject


def _storable(settings: JsonObject) -> JsonObject:
    """Refuse what Python's JSON reads and the database, or a reader of it, does not."""
    try:
        msgspec.json.encode(settings)
    except (UnicodeEncodeError, OverflowError, RecursionError):
        raise ValueError(
            "holds a lone surrogate, an integer beyond 64 bits, or is nested too deeply"
        ) from None
    return settings


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("must say why, in a few words")
    return text.strip()


Reason = Annotated[Line, AfterValidator(_said), Field(description="why; kept in the audit")]
IdentifierText = Annotated[Line, Field(description="kind:value, such as email:ana@example.com")]

Document = Annotated[JsonObject, AfterValidator(_storable)]
Path = Annotated[str, Field(min_length=1, max_length=400)]

Settings = Annotated[
    JsonObject, AfterValidator(_storable), Field(description="only what differs from the defaults")
]


def identifier_in(text: str, path: str) -> Identifier:
    """Read ``kind:value``, normalised as ingest does it.

    Raises:
        Invalid: *text*, which stood at *path*, is something else.
    """
    try:
        named = parse_ref(text)
    except Unreadable:
        named = None
    if isinstance(named, Identifier):
        return named
    message = "must be kind:value, such as email:ana@example.com"
    raise Invalid(f"{path} {message}", faults=[Fault(path, "bad_identifier", message)])


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


class NewLink(Body):
    """Two identifiers that are one customer, by the word of a person."""

    a: IdentifierText
    b: IdentifierText
    reason: Reason


class Reasoned(Body):
    """Why something is done, where it may be left out."""

    reason: Annotated[Line, Field(description="why; kept in the audit")] = ""


class UnlinkedIdentifier(Body):
    """An identifier that is not the customer's."""

    identifier: IdentifierText
    reason: Reason


class RedrivenItem(Body):
    """How to repair one refused item: none of these redrives it as it was sent."""

    item: Annotated[Document | None, Field(description="takes the place of what was sent")] = None
    move: Annotated[
        dict[Path, Path], Field(description="from path to path, dotted: values in wrong members")
    ] = {}
    patch: Annotated[Document | None, Field(description="JSON merge patch, after the moves")] = None
    dry_run: Annotated[bool, Field(description="only show what would become of it")] = False


class Selected(Body):
    """Which open items; what is left out selects all."""

    reason: Text | None = None
    source: Text | None = None
    since: Annotated[Moment | None, Field(description="received at or after")] = None


class RedrivenItems(Body):
    """How to repair the refused items that a filter selects."""

    filter: Selected
    move: Annotated[dict[Path, Path], Field(description="from path to path, dotted")] = {}
    patch: Annotated[Document | None, Field(description="JSON merge patch, after the moves")] = None
    dry_run: Annotated[bool, Field(description="only show the effect on journeys")] = False


class Discarded(Body):
    """Why an item is given up."""

    reason: Reason
