"""Reading what a request brings, while counting what all requests hold together."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from services.ingest.channels.contract import Adapter, Delivery, Ignored
from services.ingest.intake import Intake
from services.ingest.limits import BytesInFlight
from services.ingest.posting import Posting
from shared.http.asgi import MAX_BODY_BYTES, path_segments, read_inflated
from shared.records import Record
from shared.sources import Source

T = TypeVar("T")

_UNKNOWN_LENGTH: Final = 256 * 1024
"""What a body counts for while it comes in chunks."""


async def with_body(
    posting: Posting, in_flight: BytesInFlight, use: Callable[[bytes], Awaitable[T]]
) -> T:
    """Return what *use* makes of the body, inflated, which counts as in flight until then.

    Raises:
        Overloaded: All requests together hold too much.
        TooLarge: The body is over a limit.
        Unreadable: Its gzip is broken.
        ClientDisconnect: The client went away.
    """
    with in_flight.hold(_declared_length(posting)):
        body = await read_inflated(posting.scope, posting.receive)
        with in_flight.hold(len(body)):
            return await use(body)


async def take_in(
    posting: Posting,
    body: bytes,
    intake: Intake,
    adapter: Adapter,
    source: Source,
    *,
    wire_format: str,
) -> Sequence[Record | Ignored]:
    """Take in what a request brings in another wire format; see ``Intake.take_in_reads``."""
    delivery = delivery_of(posting, body, intake, source)
    return await intake.take_in_reads(
        adapter(delivery), source, delivery.received_at, wire_format=wire_format
    )


def delivery_of(posting: Posting, body: bytes, intake: Intake, source: Source) -> Delivery:
    """Return what a request brings, received now, as adapters take it."""
    return Delivery(
        body=body,
        headers=posting.headers,
        path=path_segments(posting.scope),
        query=posting.scope["query_string"],
        received_at=intake.clock(),
        source=source,
    )


def _declared_length(posting: Posting) -> int:
    declared = posting.headers.get(b"content-length")
    if declared is None or not declared.isdigit():
        return _UNKNOWN_LENGTH
    return min(int(declared), MAX_BODY_BYTES)
