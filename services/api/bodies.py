"""What requests carry; a field that is not named here is refused."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from services.api.parameters import Line, Moment, Text
from services.api.webhooks.endpoints import LONGEST_URL, EndpointStatus
from services.api.webhooks.payloads import EventType
from shared.errors import Fault, Invalid, Unreadable
from shared.identity.identifiers import parse_ref
from shared.instants import DAY, SECOND, Micros
from shared.journey.durations import LONGEST, parse_duration
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


def _age(given: object) -> object:
    """Read whole seconds, or a duration such as ``PT24H``."""
    if isinstance(given, str):
        return parse_duration(given).micros
    if given is None:
        return DAY
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= LONGEST // SECOND:
        raise ValueError("must be seconds, 0 to 315,360,000, or a duration such as PT24H")
    return given * SECOND


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


class NamedRollback(Body):
    """What a rollback may say of itself when its path names the model."""

    leaving: Annotated[
        Text | None,
        Field(alias="from", description="the version to give up; another one in force is 409"),
    ] = None
    reason: Annotated[Line, Field(description="why; kept in the audit")] = ""


class WantedRollback(NamedRollback):
    """What a rollback may say of itself."""

    key: Annotated[Text | None, Field(description="of the model; else the default model's")] = None


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


class Rotation(Body):
    """How long a key works on beside the one that takes its place."""

    overlap_hours: Annotated[float, Field(ge=0, le=720)] = 24


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


class Lookup(Body):
    """Customers to look up at once."""

    refs: Annotated[
        list[Line],
        Field(min_length=1, max_length=100, description="customer ids, or kind:value"),
    ]

    def checked_refs(self) -> list[Identifier | UUID]:
        """Return what the references name, in their order.

        Raises:
            Invalid: some are no references; all of those are named.
        """
        named: list[Identifier | UUID] = []
        faults = []
        for place, ref in enumerate(self.refs):
            try:
                named.append(parse_ref(ref))
            except Unreadable as error:
                faults.append(Fault(f"refs[{place}]", error.code, error.message))
        if faults:
            raise Invalid(f"{faults[0].path}: {faults[0].message}", faults=faults)
        return named


class NewWebhook(Body):
    """An endpoint to make."""

    url: Annotated[str, Field(max_length=LONGEST_URL, description="https")]
    events: Annotated[list[EventType], Field(min_length=1)] = list(EventType)
    max_age: Annotated[
        Micros,
        BeforeValidator(_age, json_schema_input_type=int | str),
        Field(description="seconds, or as PT24H: moves told later than that are left out"),
    ] = DAY


def _changed_age(given: object) -> object:
    return None if given is None else _age(given)


def _in_force(status: object) -> object:
    return "active" if status == "enabled" else status


class ChangedWebhook(Body):
    """What becomes different about an endpoint; what is not given stays as it is."""

    url: Annotated[str | None, Field(max_length=LONGEST_URL, description="https")] = None
    events: Annotated[list[EventType] | None, Field(min_length=1)] = None
    max_age: Annotated[
        Micros | None,
        BeforeValidator(_changed_age, json_schema_input_type=int | str),
        Field(description="seconds, or as PT24H: moves told later than that are left out"),
    ] = None
    status: Annotated[
        EndpointStatus | None,
        BeforeValidator(_in_force, json_schema_input_type=Literal["active", "enabled", "disabled"]),
        Field(description="active (or enabled): it goes on where it stopped"),
    ] = None


class NamedIdentifier(Body):
    """An identifier as answers list it."""

    kind: Text
    value: Line


class ErasureOrder(Body):
    """Whose erasure it is, once more, and how."""

    identifiers: Annotated[
        list[IdentifierText | NamedIdentifier] | None,
        Field(description="exactly those that a dry run listed"),
    ] = None
    suppress: Annotated[bool, Field(description="keep out what carries them later")] = True
    dry_run: bool = False
    reason: Line | None = None

    @property
    def texts(self) -> list[str] | None:
        """The identifiers as ``kind:value``."""
        if self.identifiers is None:
            return None
        return [
            name if isinstance(name, str) else f"{name.kind}:{name.value}"
            for name in self.identifiers
        ]
