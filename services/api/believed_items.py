"""Timelines as they were believed: transitions are folded, not read from what was published.

What was published can lag behind what was known, and is re-keyed when customers merge.
"""

from collections.abc import Container, Iterable
from dataclasses import replace
from typing import Final

import asyncpg
import msgspec

from services.api.journeys import Belief, believed_journey
from services.api.readers.customers import CustomerHead
from services.api.readers.past_moves import PastMove, read_past_moves
from services.api.readers.timelines import TimelineQuestion, read_items
from services.api.resources import Resources
from services.api.timeline import (
    LAST_TEXT,
    Action,
    IdentityItem,
    Item,
    ItemKey,
    Keyed,
    Kind,
    TransitionItem,
    window_of,
)
from shared.instants import datetime_of, parse_rfc3339, rfc3339
from shared.journey.moves import (
    Axis,
    Move,
    TouchpointCause,
    cause_document,
    parse_cause,
    transition_id,
)
from shared.journey.moves import Kind as MoveKind

_NOBODY: Final = TouchpointCause(LAST_TEXT, "")


class _Transition(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """A transition in a journey's document."""

    id: str
    axis: Axis
    kind: MoveKind
    from_: str | None
    to: str
    at: str
    cycle: int
    rule: str
    cause: dict[str, object]


async def read_believed(
    connection: asyncpg.Connection,
    resources: Resources,
    past: CustomerHead,
    belief: Belief,
    question: TimelineQuestion,
) -> list[Keyed]:
    """Return at least the first items that *question* asks for, as *belief* has them."""
    page = replace(question.page, kinds=question.page.kinds - {Kind.TRANSITION})
    found = _as_judged(await read_items(connection, replace(question, page=page)), past)
    if Kind.TRANSITION in question.page.kinds:
        found += await _transitions(connection, resources, past, belief, question)
    return found


def _as_judged(items: Iterable[Keyed], past: CustomerHead) -> list[Keyed]:
    """Say of each link whether it was refused then, not whether it is now."""
    refused = {(str(a), str(b)) for a, b in past.refused or ()}
    return [(key, _judged(item, refused)) for key, item in items]


def _judged(item: Item, refused: Container[tuple[str, str]]) -> Item:
    if not isinstance(item, IdentityItem) or item.action not in {"linked", "refused"}:
        return item
    action: Action = "refused" if (item.a, item.b) in refused else "linked"
    return msgspec.structs.replace(item, action=action)


async def _transitions(
    connection: asyncpg.Connection,
    resources: Resources,
    past: CustomerHead,
    belief: Belief,
    question: TimelineQuestion,
) -> list[Keyed]:
    journey = await believed_journey(connection, resources, past, belief)
    told = await read_past_moves(connection, past.identifier_ids, past.model.id, belief.known_at)
    decided = {entry.move: entry for entry in told if entry.taken_back_at is None}
    moves = [_move(seen) for seen in msgspec.convert(journey["transitions"], list[_Transition])]
    items = [_keyed(move, decided.get(move), past) for move in moves]
    if question.page.superseded:
        gone = (entry for entry in told if entry.taken_back_at is not None)
        items += [_keyed(entry.move, entry, past) for entry in gone]
    window = window_of(Kind.TRANSITION, question.page.window, question.page.order)
    return [(key, item) for key, item in items if window.holds(key, question.page.order)]


def _move(seen: _Transition) -> Move:
    return Move(
        axis=seen.axis,
        kind=seen.kind,
        from_=seen.from_,
        to=seen.to,
        at=parse_rfc3339(seen.at),
        cycle=seen.cycle,
        rule=seen.rule,
        cause=parse_cause(seen.cause),
    )


def _keyed(move: Move, told: PastMove | None, past: CustomerHead) -> Keyed:
    """Return the item of *move*, and its place.

    Its id is the one that it had for the customer as known then; several assertions of one move
    are told apart by when they were decided.
    """
    id_ = transition_id(past.model.version, str(past.customer_id), move)
    taken_back_at = None if told is None else told.taken_back_at
    item = TransitionItem(
        id=id_,
        at=rfc3339(move.at),
        decided_at=None if told is None else rfc3339(told.decided_at),
        axis=move.axis,
        move=move.kind,
        from_=move.from_,
        to=move.to,
        rule=move.rule,
        cycle=move.cycle,
        cause=msgspec.Raw(msgspec.json.encode(cause_document(move.cause))),
        superseded_at=None if taken_back_at is None else rfc3339(taken_back_at),
        model=past.model.key,
        version=past.model.version,
    )
    by = move.cause if isinstance(move.cause, TouchpointCause) else _NOBODY
    gone = "" if told is None or taken_back_at is None else f".{told.decided_at:020d}"
    tie = f"{move.axis}{int(move.kind != 'restart')}{id_}{gone}"
    return ItemKey(datetime_of(move.at), Kind.TRANSITION, by.source, by.event_id, tie), item
