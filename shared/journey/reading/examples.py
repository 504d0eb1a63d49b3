"""Reading the examples of a model."""

from shared.instants import Instant, parse_rfc3339
from shared.journey.model import Example, Expectation
from shared.journey.reading.conditions import ACTIVITY_STATES
from shared.journey.reading.matchers import CHANNELS
from shared.journey.reading.shape import Node
from shared.touchpoints import JsonObject, Touchpoint


def read_example(node: Node, stages: tuple[str, ...]) -> Example:
    """Read an example; *stages* are the keys it may expect."""
    members = node.members(("name", "given", "expect"))
    given = members["given"].items()
    return Example(
        name=members["name"].text(),
        given=tuple(_read_touchpoint(item, number) for number, item in enumerate(given, 1)),
        expect=tuple(_read_expectation(item, stages) for item in members["expect"].items()),
    )


def _read_touchpoint(node: Node, number: int) -> Touchpoint:
    optional = ("source", "event_id", "properties", "context", "traits")
    members = node.members(("at", "type", "channel"), optional)

    def content(name: str) -> JsonObject:
        return members[name].json_object() if name in members else {}

    return Touchpoint(
        source=members["source"].text() if "source" in members else "example",
        event_id=members["event_id"].text() if "event_id" in members else f"{number:06d}",
        at=_read_instant(members["at"]),
        channel=members["channel"].one_of(CHANNELS, "channel"),
        type=members["type"].text(),
        properties=content("properties"),
        context=content("context"),
        traits=content("traits"),
    )


def _read_expectation(node: Node, stages: tuple[str, ...]) -> Expectation:
    names = ("stage", "activity", "cycle")
    members = node.members(("at",), names)
    asked = frozenset(name for name in names if name in members)
    if not asked:
        node.refuse("missing", "needs at least one of stage, activity and cycle")
    stage = members["stage"] if "stage" in asked else None
    activity = members["activity"] if "activity" in asked else None
    return Expectation(
        at=_read_instant(members["at"]),
        asked=asked,
        stage=stage.reference(stages, "stage") if stage and stage.json() is not None else None,
        activity=activity.one_of(ACTIVITY_STATES, "activity")
        if activity and activity.json() is not None
        else None,
        cycle=members["cycle"].integer(1) if "cycle" in asked else 1,
    )


def _read_instant(node: Node) -> Instant:
    text = node.text()
    try:
        return parse_rfc3339(text or "1970-01-01T00:00:00Z")
    except ValueError as error:
        node.refuse("bad_time", f"{text!r} {error}")
        return 0
