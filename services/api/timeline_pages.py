"""Pages of a timeline: what the first one goes by, and how the next ones go on."""

from dataclasses import dataclass
from uuid import UUID

from services.api.freshness import Freshness, freshness
from services.api.parameters import TimelineParameters
from services.api.readers.customers import CustomerHead, find_customer
from services.api.readers.timelines import TimelineQuestion, read_items
from services.api.resources import Resources
from services.api.timeline import Kind, Mark, TimelinePage, Window, first_of, mark_of
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
    sees one state of the database.
    """

    known_at: Instant
    settled_at: Instant
    next_known_at: Instant
    next_settled_at: Instant
    identifier_ids: tuple[int, ...]
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
        head = await find_customer(connection, reference, model=asked.model)
        view = _next_view(head, asked, mark) if mark else _first_view(head, asked, settled)
        question = _question(head, asked, view)
        found = await read_items(connection, question, asked.limit + 1)
    page, more = first_of(found, asked.limit, asked.order)
    cursor = None
    if more:
        behind = mark_of(
            page[-1][0],
            known_at=view.next_known_at,
            settled_at=view.next_settled_at,
            identifiers=_carried(view.identifier_ids),
        )
        cursor = resources.cursors.seal(behind, about)
    known_at = None if asked.known_at is None else rfc3339(view.next_known_at)
    items = [item for _, item in page]
    return TimelinePage(items, cursor, known_at), freshness(resources.clock(), head.watermark)


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
    window = _interval(asked)
    if asked.known_at is None:
        next_settled = min(settled, head.read_at)
        ids = head.identifier_ids
        return View(LATEST, LATEST, head.read_at, next_settled, ids, window)
    known = min(asked.known_at, settled)
    return View(known, known, known, known, head.identifier_ids, window)


def _next_view(head: CustomerHead, asked: TimelineParameters, mark: Mark) -> View:
    interval = _interval(asked)
    return View(
        mark.known_at,
        mark.settled_at,
        mark.known_at,
        mark.settled_at,
        mark.identifiers or head.identifier_ids,
        Window(interval.start, interval.end, after=mark.key),
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
    )
