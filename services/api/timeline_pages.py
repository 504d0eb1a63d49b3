"""Pages of a timeline: what the first one goes by, and how the next ones go on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from services.api.believed_items import read_believed
from services.api.freshness import Freshness, freshness
from services.api.journeys import Belief, believed_head
from services.api.parameters import TimelineParameters
from services.api.readers.customers import CustomerHead, find_customer
from services.api.readers.timelines import TimelineQuestion, read_items
from services.api.resources import Resources
from services.api.timeline import Keyed, Kind, Mark, TimelinePage, Window, first_of, mark_of
from services.api.transactions import reading_settled
from shared.instants import EARLIEST, LATEST, Instant, rfc3339
from shared.touchpoints import Identifier

MOST_IDENTIFIERS_IN_CURSOR = 400
"""Beyond that a cursor would not fit into a URL; such a customer's pages go by its present ones."""


@dataclass(frozen=True, slots=True)
class View:
    """What pages go by: what was recorded when, and which identifiers were the customer's.

    ``known_at`` and ``settled_at`` bound what is read, ``next_known_at`` and ``next_settled_at``
    what the next page reads. On a first page nothing has to be left out, because its transaction
    sees one state of the database. ``carried`` are the identifiers the next page cannot know.
    """

    known_at: Instant
    settled_at: Instant
    next_known_at: Instant
    next_settled_at: Instant
    identifier_ids: tuple[int, ...]
    carried: tuple[int, ...]
    window: Window


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
    needed = mark is None and (asked.known_at is not None or Kind.TRANSITION in asked.kinds)
    async with reading_settled(resources.engine, needed=needed) as (connection, settled):
        model = mark.version if mark else asked.model
        head = await find_customer(connection, reference, model=model)
        fresh = freshness(resources.clock(), head.watermark)
        if asked.known_at is None:
            view = _next_view(head, asked, mark) if mark else _first_view(head, asked, settled)
            found = await read_items(connection, _question(head, asked, view))
        else:
            known_at = mark.known_at if mark else min(asked.known_at, settled)
            belief = Belief(reference, asked.model, known_at)
            head = await believed_head(connection, resources, head, belief)
            view = _believed_view(head, asked, known_at, mark)
            question = _question(head, asked, view)
            found = await read_believed(connection, resources, head, belief, question)
    page, more = first_of(found, asked.limit, asked.order)
    cursor = (
        resources.cursors.seal(_behind(page, view, head.model.version), about) if more else None
    )
    known = None if asked.known_at is None else rfc3339(view.known_at)
    return TimelinePage([item for _, item in page], cursor, known), fresh


def _behind(page: Sequence[Keyed], view: View, version: str) -> Mark:
    return mark_of(
        page[-1][0],
        known_at=view.next_known_at,
        settled_at=view.next_settled_at,
        identifiers=view.carried,
        version=version,
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


def _first_view(head: CustomerHead, asked: TimelineParameters, settled: Instant) -> View:
    return View(
        known_at=LATEST,
        settled_at=LATEST,
        next_known_at=head.read_at,
        next_settled_at=min(settled, head.read_at),
        identifier_ids=head.identifier_ids,
        carried=_carried(head.identifier_ids),
        window=_interval(asked),
    )


def _next_view(head: CustomerHead, asked: TimelineParameters, mark: Mark) -> View:
    return View(
        known_at=mark.known_at,
        settled_at=mark.settled_at,
        next_known_at=mark.known_at,
        next_settled_at=mark.settled_at,
        identifier_ids=mark.identifiers or head.identifier_ids,
        carried=mark.identifiers,
        window=replace(_interval(asked), after=mark.key),
    )


def _believed_view(
    past: CustomerHead, asked: TimelineParameters, known_at: Instant, mark: Mark | None
) -> View:
    return View(
        known_at=known_at,
        settled_at=known_at,
        next_known_at=known_at,
        next_settled_at=known_at,
        identifier_ids=past.identifier_ids,
        carried=(),
        window=replace(_interval(asked), after=mark.key if mark else None),
    )


def _carried(identifier_ids: tuple[int, ...]) -> tuple[int, ...]:
    return identifier_ids if len(identifier_ids) <= MOST_IDENTIFIERS_IN_CURSOR else ()


def _question(head: CustomerHead, asked: TimelineParameters, view: View) -> TimelineQuestion:
    return TimelineQuestion(
        customer_id=head.customer_id,
        identifier_ids=view.identifier_ids,
        model=head.model,
        kinds=frozenset(map(Kind, asked.kinds)),
        window=view.window,
        order=asked.order,
        channels=tuple(asked.channel),
        types=tuple(asked.type),
        superseded=asked.superseded,
        known_at=view.known_at,
        settled_at=view.settled_at,
        limit=asked.limit + 1,
    )
