"""Profiles: customers in the shape of Segment's Profile API."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response
from fastapi.routing import APIRoute

from services.api.answers import json_answer
from services.api.freshness import freshness
from services.api.guards import CUSTOMERS_READ
from services.api.journeys import present_journey
from services.api.parameters import (
    NoParameters,
    ProfileEventsParameters,
    ProfileListParameters,
    TimelineParameters,
)
from services.api.readers.customers import CustomerHead, find_customer, read_identifiers
from services.api.references import Segment, customer_reference, name_in
from services.api.resources import Resources, resources_of
from services.api.segment_profiles import (
    Cursor,
    chosen,
    event_document,
    external_id,
    list_url,
    metadata_of,
    traits_of,
)
from services.api.timeline import Kind, TouchpointItem
from services.api.timeline_pages import read_page
from shared.errors import NotFound
from shared.http.asgi import request_id
from shared.http.problems import CONTENT_TYPE, problem
from shared.profiles import Profile


class ProfileRoute(APIRoute):
    """A route that says that there is no profile in the words of Segment, beside ours."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[object, object, Response]]:
        """Return the handler of the route."""
        answer = super().get_route_handler()

        async def answer_or_say(request: Request) -> Response:
            try:
                return await answer(request)
            except NotFound as error:
                told = problem(error, request_id(request.scope))
                said = {"code": error.code, "message": "Profile was not found."}
                document = {**msgspec.json.decode(told.body), "error": said}
                return Response(
                    msgspec.json.encode(document), told.status, media_type=CONTENT_TYPE.decode()
                )

        return answer_or_say


router = APIRouter(
    route_class=ProfileRoute,
    prefix="/v1/spaces/{space}/collections/users/profiles/{ref}",
    tags=["profiles"],
    dependencies=[CUSTOMERS_READ],
)


class NameMark(msgspec.Struct, frozen=True, array_like=True):
    """The last name of a page."""

    name: str


@router.get("/events")
async def read_events(
    request: Request,
    space: Segment,
    ref: Segment,
    asked: Annotated[ProfileEventsParameters, Query()],
) -> Response:
    """Return a customer's touchpoints as events, newest first."""
    resources = resources_of(request)
    reference = customer_reference(ref)
    included = asked.include.split(",") if asked.include else []
    question = TimelineParameters.model_validate(
        {
            "limit": asked.limit,
            "cursor": asked.next or None,
            "order": asked.sort,
            "type": included,
            "kinds": [Kind.TOUCHPOINT],
        }
    ).model_copy(update={"start": asked.start, "end": asked.end})
    page, _ = await read_page(resources, reference, question)
    events = [item for item in page.items if isinstance(item, TouchpointItem)]
    kept = set(chosen([item.type for item in events], None, asked.exclude))
    data = [event_document(item) for item in events if item.type in kept]
    cursor = _cursor(space, ref, "events", page.next, asked.limit)
    return json_answer({"data": data, "cursor": cursor})


@router.get("/traits")
async def read_traits(
    request: Request,
    space: Segment,
    ref: Segment,
    asked: Annotated[ProfileListParameters, Query()],
) -> Response:
    """Return a customer's traits, with the stage of the journey among them."""
    resources = resources_of(request)
    async with resources.databases.reading() as connection:
        head = await find_customer(connection, customer_reference(ref))
        fresh = freshness(resources.clock(), head.watermark)
        journey = await present_journey(connection, resources, head, fresh.as_of)
    stage = journey["stage"]
    traits = traits_of(_profile(head), stage if isinstance(stage, dict) else None)
    names = chosen(traits, asked.include, asked.exclude)
    page, following = _page(resources, ["profile_traits", ref], names, asked)
    content = {
        "traits": {name: traits[name] for name in page},
        "cursor": _cursor(space, ref, "traits", following, asked.limit),
    }
    return json_answer(content)


@router.get("/external_ids")
async def read_external_ids(
    request: Request,
    space: Segment,
    ref: Segment,
    asked: Annotated[ProfileListParameters, Query()],
) -> Response:
    """Return everything that a customer is known by."""
    resources = resources_of(request)
    async with resources.databases.reading() as connection:
        head = await find_customer(connection, customer_reference(ref))
        rows = await read_identifiers(connection, head.identifier_ids)
    kinds = set(chosen([row.kind for row in rows], asked.include, asked.exclude))
    known = {f"{row.kind}:{row.value}": row for row in rows if row.kind in kinds}
    page, following = _page(resources, ["profile_ids", ref], sorted(known), asked)
    data = [external_id(known[name].kind, known[name].value) for name in page]
    cursor = _cursor(space, ref, "external_ids", following, asked.limit)
    return json_answer({"data": data, "cursor": cursor})


@router.get("/metadata")
async def read_metadata(
    request: Request, space: Segment, ref: Segment, _: Annotated[NoParameters, Query()]
) -> Response:
    """Return when a customer was first and last heard of."""
    async with resources_of(request).databases.reading() as connection:
        head = await find_customer(connection, customer_reference(ref))
    cursor = _cursor(space, ref, "metadata", None, 1)
    return json_answer({"metadata": metadata_of(_profile(head)), "cursor": cursor})


def _profile(head: CustomerHead) -> Profile | None:
    return None if head.profile is None else Profile.decode(head.profile)


def _cursor(space: str, ref: str, what: str, following: str | None, limit: int) -> Cursor:
    url = list_url(name_in(space), name_in(ref), what)
    return Cursor(url, following is not None, following or "", limit)


def _page(
    resources: Resources,
    about: Sequence[object],
    names: Sequence[str],
    asked: ProfileListParameters,
) -> tuple[Sequence[str], str | None]:
    """Return the page of *names*, which are in order, and the cursor behind it."""
    question = [*about, asked.include, asked.exclude]
    if asked.next:
        after = resources.cursors.open(asked.next, question, NameMark).name
        names = [name for name in names if name > after]
    page = names[: asked.limit]
    more = len(names) > asked.limit
    return page, resources.cursors.seal(NameMark(page[-1]), question) if more else None
