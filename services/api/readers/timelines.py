"""Timeline pages: keyset reads over touchpoints, transitions and links, merged into one order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from services.api.moments import moment_text, optional_moment_text
from services.api.readers.customers import CustomerHead, ModelRow, head_of
from services.api.readers.timeline_statements import (
    IDENTITY,
    PAGE_BY_ID,
    PAGE_BY_IDENTIFIER,
    TOUCHPOINTS,
    TRANSITIONS,
)
from services.api.readers.touchpoints import SHOWN, touchpoint_item
from services.api.timeline import (
    IdentityItem,
    ItemKey,
    Keyed,
    Kind,
    Order,
    TransitionItem,
    Window,
    window_of,
)
from shared.instants import Instant, datetime_of
from shared.touchpoints import Identifier


@dataclass(frozen=True, slots=True)
class PageQuestion:
    """Which items of a timeline; empty ``channels`` and ``types`` mean all of them.

    ``known_at`` leaves out what was recorded later. Of transitions, those taken back are shown
    where ``superseded`` is true, or where that happened after ``settled_at``.
    """

    kinds: frozenset[Kind]
    window: Window
    order: Order
    channels: tuple[str, ...]
    types: tuple[str, ...]
    superseded: bool
    known_at: Instant
    settled_at: Instant
    limit: int


@dataclass(frozen=True, slots=True)
class TimelineQuestion:
    """Which items of which customer."""

    customer_id: UUID
    identifier_ids: tuple[int, ...]
    model: ModelRow
    page: PageQuestion


async def read_head_and_items(
    connection: asyncpg.Connection,
    reference: Identifier | UUID,
    model: str | None,
    question: PageQuestion,
    identifier_ids: tuple[int, ...],
) -> tuple[CustomerHead, list[Keyed]]:
    """Return whose timeline it is, and what ``read_items`` returns, in one round trip.

    Args:
        connection: In no transaction: one statement is of one state of the database.
        reference: An identifier, normalised as ingest does it, or a customer id.
        model: The key of an active model, or any version; None for the default model.
        question: Which items.
        identifier_ids: Whose touchpoints; those of the customer if there are none.

    Raises:
        NotFound: there is no such customer, or no such model.
    """
    statements = PAGE_BY_ID if isinstance(reference, UUID) else PAGE_BY_IDENTIFIER
    row = await connection.fetchrow(
        statements[question.order],
        model,
        *((reference,) if isinstance(reference, UUID) else reference),
        identifier_ids or None,
        *(kind in question.kinds for kind in (Kind.TOUCHPOINT, Kind.TRANSITION, Kind.IDENTITY)),
        *_touchpoint_arguments(question),
        *_transition_arguments(question),
        *_identity_arguments(question),
    )
    head = head_of(row, model)
    return head, [
        *map(_touchpoint, _rows_shown(row)),
        *(_transition(moved, head.model) for moved in row["transitions"] or ()),
        *map(_identity_item, row["identity"] or ()),
    ]


async def read_items(connection: asyncpg.Connection, question: TimelineQuestion) -> list[Keyed]:
    """Return at least the first ``limit`` items that *question* asks for, in no order."""
    page = question.page
    found: list[Keyed] = []
    if Kind.TOUCHPOINT in page.kinds:
        rows = await connection.fetch(
            TOUCHPOINTS[page.order], question.identifier_ids, *_touchpoint_arguments(page)
        )
        found += map(_touchpoint, rows)
    if Kind.TRANSITION in page.kinds:
        whose = question.customer_id, question.model.id
        rows = await connection.fetch(TRANSITIONS[page.order], *whose, *_transition_arguments(page))
        found += [_transition(row, question.model) for row in rows]
    if Kind.IDENTITY in page.kinds:
        rows = await connection.fetch(
            IDENTITY[page.order], question.identifier_ids, *_identity_arguments(page)
        )
        found += map(_identity_item, rows)
    return found


def _touchpoint_arguments(question: PageQuestion) -> tuple[object, ...]:
    window = window_of(Kind.TOUCHPOINT, question.window, question.order)
    return (
        *window.bound(question.order)[:3],
        datetime_of(window.start),
        datetime_of(window.end),
        datetime_of(question.known_at),
        question.channels or None,
        question.types or None,
        question.limit,
    )


def _transition_arguments(question: PageQuestion) -> tuple[object, ...]:
    window = window_of(Kind.TRANSITION, question.window, question.order)
    return (
        datetime_of(window.start),
        datetime_of(window.end),
        datetime_of(question.known_at),
        question.superseded,
        datetime_of(question.settled_at),
        *window.bound(question.order),
        question.limit,
    )


def _identity_arguments(question: PageQuestion) -> tuple[object, ...]:
    window = window_of(Kind.IDENTITY, question.window, question.order)
    return (
        datetime_of(question.known_at),
        datetime_of(window.start),
        datetime_of(window.end),
        *window.bound(question.order),
        question.limit,
    )


def _rows_shown(row: asyncpg.Record) -> Iterable[tuple[Any, ...]]:
    """Return the touchpoints of a page, which come by columns, as rows."""
    columns = [row[f"shown_{name}"] for name in SHOWN]
    return () if columns[0] is None else zip(*columns, strict=True)


def _touchpoint(row: Sequence[Any]) -> Keyed:
    key = ItemKey(row[0], Kind.TOUCHPOINT, row[1], row[2], "")
    return key, touchpoint_item(row)


def _transition(row: asyncpg.Record, model: ModelRow) -> Keyed:
    id_, at, decided_at, axis, kind, from_key, to_key, rule, cycle, cause, superseded_at, *place = (
        row
    )
    item = TransitionItem(
        id=id_,
        at=moment_text(at),
        decided_at=moment_text(decided_at),
        axis=axis,
        move=kind,
        from_=from_key,
        to=to_key,
        rule=rule,
        cycle=cycle,
        cause=msgspec.Raw(cause.encode()),
        superseded_at=optional_moment_text(superseded_at),
        model=model.key,
        version=model.version,
    )
    return ItemKey(at, Kind.TRANSITION, *place), item


def _identity_item(row: asyncpg.Record) -> Keyed:
    at, action, _, _, source, event_id, tie, id_, reason, actor, *ends = row
    a_kind, a_value, b_kind, b_value = ends
    by_touchpoint = actor is None
    item = IdentityItem(
        at=moment_text(at),
        action=action,
        id=str(id_),
        a=f"{a_kind}:{a_value}",
        b=f"{b_kind}:{b_value}",
        source=source if by_touchpoint else None,
        event_id=event_id if by_touchpoint else None,
        reason=reason,
        actor=actor,
    )
    return ItemKey(at, Kind.IDENTITY, source, event_id, tie), item
