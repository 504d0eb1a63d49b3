"""``POST /v1/hooks/{vendor}/{source}``: webhooks of vendors, each signed in its vendor's way."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from services.ingest.channels.answers import taken
from services.ingest.channels.contract import Adapter
from services.ingest.intake import Intake
from services.ingest.posting import Posting
from services.ingest.routes.reading import take_in, with_body
from shared.errors import NotFound
from shared.http.asgi import JSON, by_method, path_segments, respond
from shared.sources import Source, Vendor

PATH: Final = "/v1/hooks/*"

_SEGMENTS: Final = 4

_encoder: Final = msgspec.json.Encoder()


def hooks_endpoint(intake: Intake, adapters: Mapping[Vendor, Adapter]) -> ASGIApp:
    """Return the endpoint of PATH for the vendors in *adapters*.

    The key of a delivery is its signature, which the adapter checks. HEAD and GET answer 200, by
    which some vendors look whether anybody is there.
    """

    async def post(scope: AsgiScope, receive: Receive, send: Send) -> None:
        posting = Posting(scope, receive)
        path = path_segments(scope)
        adapter = _adapter(path, adapters)
        source = await _source(path, intake)
        outcomes = await with_body(
            posting,
            intake.in_flight,
            lambda body: take_in(posting, body, intake, adapter, source),
        )
        await respond(send, HTTPStatus.OK, _encoder.encode(taken(outcomes)), [JSON])

    return by_method({"POST": post, "GET": _answer_that_somebody_is_there})


async def _answer_that_somebody_is_there(_: AsgiScope, __: Receive, send: Send) -> None:
    await respond(send, HTTPStatus.OK, b"{}", [JSON])


def _adapter(path: Sequence[str], adapters: Mapping[Vendor, Adapter]) -> Adapter:
    adapter = adapters.get(Vendor(path[2])) if _names_vendor(path) else None
    if adapter is None:
        raise NotFound(
            f"there is no such vendor; hooks are /v1/hooks/{{{_named(adapters)}}}/SOURCE"
        )
    return adapter


def _names_vendor(path: Sequence[str]) -> bool:
    return len(path) == _SEGMENTS and path[2] in set(Vendor)


def _named(vendors: Iterable[Vendor]) -> str:
    return ",".join(sorted(vendor.value for vendor in vendors))


async def _source(path: Sequence[str], intake: Intake) -> Source:
    source = await intake.directory.find_source(path[3])
    if source is None:
        raise NotFound("there is no such source")
    return source
