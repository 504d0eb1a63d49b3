"""Timelines as they were believed: transitions are folded, not read from what was published.

What was published can lag behind what was known, and is re-keyed when customers merge.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace

import asyncpg
import msgspec

from services.api.journeys import Belief, believed_journey
from services.api.readers.customers import CustomerHead
from services.api.readers.timelines import TimelineQuestion, read_decisions, read_items
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
from shared.instants import datetime_of, parse_rfc3339


class _Identity(msgspec.Struct, frozen=True):
    source: str
    event_id: str


class _Cause(msgspec.Struct, frozen=True):
    touchpoint: _Identity = _Identity(LAST_TEXT, "")


class _Transition(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """A transition in a journey's document."""

    id: str
    axis: str
    kind: str
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
    """Return at least the first items that *question* asks for, as *belief* has them.

    What had been taken back by then is only in what was published, so a question that wants it is
    answered from there.
    """
    if question.page.superseded or Kind.TRANSITION not in question.page.kinds:
        return _as_judged(await read_items(connection, question), past)
    page = replace(question.page, kinds=question.page.kinds - {Kind.TRANSITION})
    others = replace(question, page=page)
    return [
        *_as_judged(await read_items(connection, others), past),
        *await _transitions(connection, resources, past, belief, question),
    ]


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
    transitions = msgspec.convert(journey["transitions"], list[_Transition])
    decisions = await read_decisions(connection, past.customer_id, past.model, belief.known_at)
    window = window_of(Kind.TRANSITION, question.page.window, question.page.order)
    items = [_keyed(transition, past, decisions) for transition in transitions]
    return [(key, item) for key, item in items if window.holds(key, question.page.order)]


def _keyed(transition: _Transition, past: CustomerHead, decisions: Mapping[str, str]) -> Keyed:
    item = TransitionItem(
        id=transition.id,
        at=transition.at,
        decided_at=decisions.get(transition.id),
        axis=transition.axis,
        move=transition.kind,
        from_=transition.from_,
        to=transition.to,
        rule=transition.rule,
        cycle=transition.cycle,
        cause=msgspec.Raw(msgspec.json.encode(transition.cause)),
        superseded_at=None,
        model=past.model.key,
        version=past.model.version,
    )
    cause = msgspec.convert(transition.cause, _Cause).touchpoint
    tie = f"{transition.axis}{int(transition.kind != 'restart')}{transition.id}"
    at = datetime_of(parse_rfc3339(transition.at))
    return ItemKey(at, Kind.TRANSITION, cause.source, cause.event_id, tie), item
