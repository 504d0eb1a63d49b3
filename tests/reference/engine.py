"""The engine behind the signature of the reference interpreter, so that the two can be compared."""

import json
from collections.abc import Iterable
from functools import lru_cache

from shared.instants import Instant
from shared.journey.fold import fold
from shared.journey.loading import load_model
from shared.journey.program import Program, compile_model
from shared.journey.render import journey_document
from shared.touchpoints import Touchpoint
from tests.reference.json_values import Document


def engine_journey(
    document: Document, touchpoints: Iterable[Touchpoint], as_of: Instant, customer_id: str
) -> Document:
    """Return what the engine says to the question that ``interpret`` answers."""
    program = program_of(document)
    return journey_document(fold(program, touchpoints, as_of), program, customer_id)


def program_of(document: Document) -> Program:
    """Return *document*, as JSON text loaded and compiled by the engine."""
    return _compiled(json.dumps(document))


@lru_cache(maxsize=64)
def _compiled(text: str) -> Program:
    return compile_model(load_model(text))
