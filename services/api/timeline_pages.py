"""Pages of a timeline: what the first one goes by, and how the next ones go on."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from uuid import UUID

from services.api.believed_items import read_believed
from services.api.databases import ANYWHERE, PlacedRead
from services.api.freshness import Freshness, freshness
from services.api.journeys import Belief, believed_head
from services.api.parameters import TimelineParameters
from services.api.readers.customers import CustomerHead, find_customer
from services.api.readers.timelines import (
    PageQuestion,
    TimelineQuestion,
    read_head_and_items,
)
from services.api.resources import Resources
from services.api.timeline import Keyed, Kind, Mark, TimelinePage, Window, first_of, mark_of
from shared.instants import EARLIEST, LATEST, Instant, rfc3339
from shared.touchpoints import Identifier

MOST_IDENTIFIERS_IN_CURSOR = 400
"""Beyond that a cursor would not fit into a URL; such a customer's pages go by its present ones."""


@dataclass(frozen=True, slots=True)
class View:
    """What the next page goes by: what was recorded when, and which identifiers it cannot know.

    ``place`` is of the write-ahead log: a database that has it has all that the first page showed.
    On a first page nothing has to be left out, because it is of one state of the database.
    """

    known_at: Instant
    settled_at: Instant
    carried: tuple[int, ...]
    place: int


async def read_page(
    resources: Resources, reference: Identifier | UUID, asked: TimelineParameters
) -> tuple[TimelinePage, Freshness]:
    """Read the page that *asked* wants of the timeline of *reference*.

    Raises:
        NotFound: there is no such customer or model.
        Unreadable: the cursor is not one of this timeline.
    """
    about = cursor_question(reference, asked)
    mark = None if asked.cursor is None else resources.cursors.open(asked.cursor, about, Mark)
    if asked.known_at is None:
        head, view, found = await _present_page(resources, reference, asked, mark)
    else:
        head, view, found = await _believed_page(resources, reference, asked, asked.known_at, mark)
    fresh = freshness(resources.clock(), head.watermark)
    page, more = first_of(found, asked.limit, asked.order)
    cursor = (
        resources.cursors.seal(_behind(page, view, head.model.version), about) if more else None
    )
    known = None if asked.known_at is None else rfc3339(view.known_at)
    return TimelinePage([item for _, item in page], cursor, known), fresh


async def _present_page(
    resources: Resources,
    reference: Identifier | UUID,
    asked: TimelineParameters,
    mark: Mark | None,
) -> tuple[CustomerHead, View, list[Keyed]]:
    needed = mark is None and Kind.TRANSITION in asked.kinds
    async with _opened(resources, asked, mark, needed=needed) as read:
        model, carried = (mark.version, mark.identifiers) if mark else (asked.model, ())
        known_at, settled_at = (mark.known_at, mark.settled_at) if mark else (LATEST, LATEST)
        window = replace(_interval(asked), after=mark.key if mark else None)
        question = _question(asked, window, known_at, settled_at)
        head, found = await read_head_and_items(
            read.connection, reference, model, question, carried
        )
        place = await _place(resources, read, mark, more=len(found) > asked.limit)
    return head, _next_view(mark) if mark else _first_view(head, read.settled, place), found


async def _believed_page(
    resources: Resources,
    reference: Identifier | UUID,
    asked: TimelineParameters,
    asked_known_at: Instant,
    mark: Mark | None,
) -> tuple[CustomerHead, View, list[Keyed]]:
    opened = _opened(resources, asked, mark, needed=mark is None, isolated=True)
    async with opened as read:
        connection = read.connection
        model = mark.version if mark else asked.model
        head = await find_customer(connection, reference, model=model)
        known_at = mark.known_at if mark else min(asked_known_at, read.settled)
        belief = Belief(reference, asked.model, known_at)
        past = await believed_head(connection, resources, head, belief)
        window = replace(_interval(asked), after=mark.key if mark else None)
        page = _question(asked, window, known_at, known_at)
        question = TimelineQuestion(past.customer_id, past.identifier_ids, past.model, page)
        found = await read_believed(connection, resources, past, belief, question)
        place = await _place(resources, read, mark, more=len(found) > asked.limit)
    return past, View(known_at, known_at, (), place), found


def _opened(
    resources: Resources,
    asked: TimelineParameters,
    mark: Mark | None,
    *,
    needed: bool,
    isolated: bool = False,
) -> AbstractAsyncContextManager[PlacedRead]:
    """Open the read of a page: where what the first page showed is, and what was waited for."""
    return resources.databases.placed(
        current=asked.wait_for is not None,
        beyond=mark.place if mark else None,
        needed=needed,
        isolated=isolated,
    )


async def _place(resources: Resources, read: PlacedRead, mark: Mark | None, *, more: bool) -> int:
    """Return what the next page has to be read beyond; that of the first page, if there is one."""
    if mark is not None:
        return mark.place
    return await resources.databases.place_behind(read.connection) if more else ANYWHERE


def _behind(page: Sequence[Keyed], view: View, version: str) -> Mark:
    return mark_of(
        page[-1][0],
        known_at=view.known_at,
        settled_at=view.settled_at,
        identifiers=view.carried,
        version=version,
        place=view.place,
    )


def cursor_question(reference: Identifier | UUID, asked: TimelineParameters) -> list[object]:
    """Return what all pages of a timeline have in common."""
    return [
        "timeline",
        str(reference),
        asked.order,
        asked.start,
        asked.end,
        sorted(asked.channel),
        sorted(asked.type),
        sorted(asked.kinds),
        asked.model,
        asked.known_at,
        asked.superseded,
    ]


def _interval(asked: TimelineParameters) -> Window:
    start = EARLIEST if asked.start is None else asked.start
    return Window(start, LATEST if asked.end is None else asked.end)


def _first_view(head: CustomerHead, settled: Instant, place: int) -> View:
    return View(head.read_at, min(settled, head.read_at), _carried(head.identifier_ids), place)


def _next_view(mark: Mark) -> View:
    return View(mark.known_at, mark.settled_at, mark.identifiers, mark.place)


def _carried(identifier_ids: tuple[int, ...]) -> tuple[int, ...]:
    return identifier_ids if len(identifier_ids) <= MOST_IDENTIFIERS_IN_CURSOR else ()


def _question(
    asked: TimelineParameters, window: Window, known_at: Instant, settled_at: Instant
) -> PageQuestion:
    return PageQuestion(
        kinds=frozenset(map(Kind, asked.kinds)),
        window=window,
        order=asked.order,
        channels=tuple(asked.channel),
        types=tuple(asked.type),
        superseded=asked.superseded,
        known_at=known_at,
        settled_at=settled_at,
        limit=asked.limit + 1,
    )
