"""``/v1/imports``: files of tills and call centers, of any size, and how far each has got."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final
from uuid import UUID, uuid4

import msgspec
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from services.ingest.importing import BATCH_BYTES, Importing, Order
from services.ingest.intake import Intake
from services.ingest.posting import Posting
from services.ingest.senders import bad_parameter, holder_of_key, identify, parameters_of
from shared.acceptance.types import TYPE
from shared.errors import Invalid, NotFound, Overloaded, Unreadable
from shared.files.columns import Layout
from shared.files.file_times import FileTimes
from shared.http.asgi import JSON, by_method, path_segments, respond, stream_body
from shared.http.inflating import inflated_pieces
from shared.imports import ImportState, ImportStates
from shared.keys import Principal, Scope
from shared.source_documents import column_map_of
from shared.sources import Source
from shared.touchpoints import Channel

PATH: Final = "/v1/imports"
ONE: Final = "/v1/imports/*"
PARAMETERS: Final = (
    "source",
    "map",
    "type",
    "channel",
    "time_format",
    "time_zone",
    "historical",
)

MOST_AT_ONCE: Final = 4
MOST_LISTED: Final = 50

_encoder: Final = msgspec.json.Encoder()


def imports_endpoints(intake: Intake, states: ImportStates) -> Mapping[str, ASGIApp]:
    """Return the endpoints of imports, by path."""
    imports = _Imports(intake, states)
    return {
        PATH: by_method({"POST": imports.post, "GET": imports.list_newest}),
        ONE: by_method({"GET": imports.get}),
    }


class _Imports:
    """The imports of one process."""

    def __init__(self, intake: Intake, states: ImportStates) -> None:
        self._intake = intake
        self._states = states
        self._running = 0

    async def post(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Take a file in while it comes, and answer what became of it."""
        posting = Posting(scope, receive)
        parameters = parameters_of(scope["query_string"], *PARAMETERS)
        source = await identify(posting, self._intake.directory, parameters.get("source"))
        historical = _flag(parameters, "historical")
        order = Order(uuid4(), source, layout_of(parameters, source), historical=historical)
        with self._one_more(), self._intake.in_flight.hold(2 * BATCH_BYTES):
            pieces = inflated_pieces(stream_body(receive))
            state = await Importing(self._intake, self._states, order).run(pieces)
        location = (b"location", f"{PATH}/{order.id}".encode())
        await respond(send, HTTPStatus.ACCEPTED, _encoder.encode(state), [JSON, location])

    async def get(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer how far one import has got."""
        principal = await self._reader(Posting(scope, receive))
        state = await self._found(path_segments(scope)[2:])
        if state is None or principal.source not in (None, state.source):
            raise NotFound("there is no import by that id")
        seen = state.seen_at(self._intake.clock())
        await respond(send, HTTPStatus.OK, _encoder.encode(seen), [JSON])

    async def list_newest(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer how far the last imports have got."""
        principal = await self._reader(Posting(scope, receive))
        found = await self._states.newest(principal.source, MOST_LISTED)
        now = self._intake.clock()
        listed = {"items": [state.seen_at(now) for state in found]}
        await respond(send, HTTPStatus.OK, _encoder.encode(listed), [JSON])

    @contextmanager
    def _one_more(self) -> Generator[None]:
        if self._running >= MOST_AT_ONCE:
            raise Overloaded(f"{MOST_AT_ONCE} files are being taken in: send this one a bit later")
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    async def _reader(self, posting: Posting) -> Principal:
        parameters_of(posting.scope["query_string"])
        principal = await holder_of_key(posting, self._intake.directory)
        principal.require(Scope.TOUCHPOINTS_WRITE, Scope.CUSTOMERS_READ)
        return principal

    async def _found(self, segments: tuple[str, ...]) -> ImportState | None:
        try:
            (text,) = segments
            return await self._states.find(UUID(text))
        except ValueError:
            return None


def layout_of(parameters: Mapping[str, str], source: Source) -> Layout:
    """Return how the rows of a file are read, by what its request and its source say.

    Raises:
        Unreadable: A parameter is wrong; ``faults`` name it.
    """
    columns = source.settings.column_map
    try:
        if "map" in parameters:
            columns = column_map_of(msgspec.json.decode(parameters["map"]))
        times = FileTimes.stated(parameters.get("time_format"), parameters.get("time_zone"))
    except msgspec.DecodeError as error:
        raise bad_parameter("map", f"must be a JSON object: {error}") from None
    except Invalid as error:
        raise Unreadable(error.message, code="bad_parameter", faults=error.faults) from None
    return Layout(columns, _type(parameters), _channel(parameters), times)


def _type(parameters: Mapping[str, str]) -> str | None:
    name = parameters.get("type")
    if name is not None and not TYPE.fullmatch(name):
        raise bad_parameter("type", "must be 1-128 letters, digits or _ .:$/-")
    return name


def _channel(parameters: Mapping[str, str]) -> str | None:
    name = parameters.get("channel")
    if name is not None and name not in set(Channel):
        raise bad_parameter("channel", f"must be one of {', '.join(Channel)}")
    return name


def _flag(parameters: Mapping[str, str], name: str) -> bool:
    value = parameters.get(name, "false")
    if value not in {"true", "false"}:
        raise bad_parameter(name, "must be true or false")
    return value == "true"
