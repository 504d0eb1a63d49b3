"""Friction: which touchpoints hurt, as one matcher; pure."""

from functools import cache

from shared.catalogue.types import TouchpointType, touchpoint_types
from shared.journey.matchers import Matcher
from shared.journey.reading.matchers import read_matcher
from shared.journey.reading.shape import Faults, Node
from shared.touchpoints import JsonObject


@cache
def friction_matcher() -> Matcher:
    """Return what matches every touchpoint that the catalogue calls friction."""
    faults = Faults()
    kinds = [kind for kind in touchpoint_types().values() if kind.friction]
    matcher = read_matcher(Node({"any": [_document(kind) for kind in kinds]}, "friction", faults))
    faults.refuse_if_any()
    return matcher


def _document(kind: TouchpointType) -> JsonObject:
    document: JsonObject = {"type": list(kind.names)}
    return document if kind.friction is True else {**document, "where": kind.friction}
