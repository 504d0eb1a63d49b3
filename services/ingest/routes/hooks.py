"""``POST /v1/hooks/{vendor}/{source}``: webhooks of vendors, each signed in its vendor's way."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from services.ingest.channels.answers import taken
from services.ingest.channels.contract import Adapter, Delivery, Errands, Ignored
from services.ingest.channels.table import WITHOUT_ANSWER
from services.ingest.fetching import Fetcher, RememberedFetches
from services.ingest.intake import Intake
from services.ingest.posting import Posting
from services.ingest.routes.reading import delivery_of, with_body
from shared.errors import NotFound, Unauthorized
from shared.http.asgi import JSON, by_method, path_segments, respond
from shared.metrics import AUTH_FAILURES
from shared.records import Record
from shared.sources import Source, Vendor

PATH: Final = "/v1/hooks/*"

_SEGMENTS: Final = 4

_encoder: Final = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Vendors:
    """The vendors that deliver.

    Attributes:
        adapters: Reads the deliveries of each.
        errands: Whose deliveries need something from elsewhere.
        fetcher: Runs them.
    """

    adapters: Mapping[Vendor, Adapter]
    errands: Mapping[Vendor, Errands]
    fetcher: Fetcher


def hooks_endpoint(intake: Intake, vendors: Vendors) -> ASGIApp:
    """Return the endpoint of PATH.

    The key of a delivery is its signature, which the adapter checks. HEAD and GET answer 200, by
    which some vendors look whether anybody is there.
    """
    remembered = RememberedFetches(vendors.fetcher, intake.clock)

    async def post(scope: AsgiScope, receive: Receive, send: Send) -> None:
        posting = Posting(scope, receive)
        path = path_segments(scope)
        vendor = _vendor(path, vendors.adapters)
        source = await _source(path, intake)

        async def take_in(body: bytes) -> Sequence[Record | Ignored]:
            delivery = delivery_of(posting, body, intake, source)
            errands = vendors.errands.get(vendor)
            try:
                if errands is not None:
                    delivery = await _furnished(delivery, errands, remembered)
                reads = vendors.adapters[vendor](delivery)
                outcomes = await intake.take_in_reads(
                    reads, source, delivery.received_at, wire_format=vendor.value
                )
            except Unauthorized as error:
                AUTH_FAILURES.labels(error.code).inc()
                raise
            await _visit(errands, delivery, vendors.fetcher)
            return outcomes

        outcomes = await with_body(posting, intake.in_flight, take_in)
        body, headers = _answer(vendor, outcomes)
        await respond(send, HTTPStatus.OK, body, headers)

    async def look(scope: AsgiScope, _: Receive, send: Send) -> None:
        path = path_segments(scope)
        _vendor(path, vendors.adapters)
        await _source(path, intake)
        await respond(send, HTTPStatus.OK, b"{}", [JSON])

    return by_method({"POST": post, "GET": look})


def _answer(
    vendor: Vendor, outcomes: Sequence[Record | Ignored]
) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    if vendor in WITHOUT_ANSWER:
        return b"", []
    return _encoder.encode(taken(outcomes)), [JSON]


async def _furnished(delivery: Delivery, errands: Errands, fetcher: Fetcher) -> Delivery:
    address = errands.fetched_first(delivery)
    return replace(delivery, fetched={address: await fetcher.fetch(address)})


async def _visit(errands: Errands | None, delivery: Delivery, fetcher: Fetcher) -> None:
    address = errands and errands.visited_after(delivery)
    if address is not None:
        await fetcher.fetch(address)


def _vendor(path: Sequence[str], adapters: Mapping[Vendor, Adapter]) -> Vendor:
    if len(path) != _SEGMENTS or path[2] not in set(adapters):
        raise NotFound(
            f"there is no such vendor; hooks are /v1/hooks/{{{_named(adapters)}}}/SOURCE"
        )
    return Vendor(path[2])


def _named(vendors: Iterable[Vendor]) -> str:
    return ",".join(sorted(vendor.value for vendor in vendors))


async def _source(path: Sequence[str], intake: Intake) -> Source:
    source = await intake.directory.find_source(path[3])
    if source is None:
        raise NotFound("there is no such source")
    return source
