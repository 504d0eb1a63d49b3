"""Stage models in PostgreSQL: read back, and the first one of a new deployment."""

import json
from typing import Final

import asyncpg
import msgspec

from shared.instants import Instant, datetime_of
from shared.journey.model import StageModel
from shared.journey.reading.document import read_document
from shared.touchpoints import JsonValue

_INSERT: Final = """
INSERT INTO models (version, key, title, document, state, is_default, created_at, activated_at)
VALUES ($1, $2, $3, $4::json, 'active', true, $5, $5)
ON CONFLICT DO NOTHING
RETURNING id
"""
_ACTIVATE: Final = """
INSERT INTO activations (model_id, key, activated_at, recorded_at) VALUES ($1, $2, $3, $3)
"""
_ANY: Final = "SELECT EXISTS (SELECT FROM models WHERE is_default)"


def stored_model(document: str) -> StageModel:
    """Read a model back from its row.

    It was loaded with all checks before it was stored. With defaults filled in and aliases written
    out it may be larger than what may be handed in.
    """
    values: JsonValue = json.loads(document)
    return read_document(values)


async def ensure_default_model(
    connection: asyncpg.Connection, model: StageModel, *, now: Instant
) -> bool:
    """Put *model* in force as the default if the deployment has none yet.

    Args:
        connection: In a transaction.
        model: As loaded from its document.
        now: When it is in force from.

    Returns:
        Whether it was put in force.
    """
    if await connection.fetchval(_ANY):
        return False
    document = msgspec.json.encode(model.document).decode()
    moment = datetime_of(now)
    id_ = await connection.fetchval(
        _INSERT, model.version, model.key, model.title, document, moment
    )
    if id_ is None:
        return False
    await connection.execute(_ACTIVATE, id_, model.key, moment)
    return True
