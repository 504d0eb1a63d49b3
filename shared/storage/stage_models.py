"""Stage models in PostgreSQL: stored, read back, and asked to be put in force."""

import json
from typing import Final, NamedTuple

import asyncpg
import msgspec
from sqlalchemy import literal_column, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.errors import Conflict, NotFound
from shared.instants import Instant, datetime_of
from shared.journey.model import StageModel
from shared.journey.reading.document import read_document
from shared.storage.tables import models, rollouts
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


class Stored(NamedTuple):
    """What became of a model that was handed in."""

    state: str
    is_new: bool


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


async def store_model(connection: AsyncConnection, model: StageModel, *, now: Instant) -> Stored:
    """Store *model* as a draft; of a version that is known, take over the wording.

    Args:
        connection: In a transaction.
        model: As loaded from its document.
        now: The present.
    """
    wording = {"title": model.title.replace("\0", "\ufffd"), "document": model.document}
    statement = (
        insert(models)
        .values(
            version=model.version,
            key=model.key,
            state="draft",
            created_at=datetime_of(now),
            **wording,
        )
        .on_conflict_do_update(
            index_elements=[models.c.version],
            set_={**wording, "revision": models.c.revision + 1},
        )
        .returning(models.c.state, literal_column("xmax = 0"))
    )
    return Stored(*(await connection.execute(statement)).one())


async def request_activation(connection: AsyncConnection, version: str, *, now: Instant) -> None:
    """Ask for *version* to be put in force; nothing happens if it is, or is on its way.

    A classifier carries it on from here.

    Args:
        connection: In a transaction.
        version: Of a stored model.
        now: The present.

    Raises:
        NotFound: no model has that version.
        Conflict: another version of the same key is on its way.
    """
    wanted = select(models.c.id, models.c.key, models.c.state).where(models.c.version == version)
    row = (await connection.execute(wanted.with_for_update(key_share=True))).one_or_none()
    if row is None:
        raise NotFound("no stage model has that version")
    if row.state in {"active", "activating"}:
        return
    await begin_rollout(connection, row.id, row.key, now=now)


async def begin_rollout(
    connection: AsyncConnection,
    model_id: int,
    key: str,
    *,
    now: Instant,
    is_rollback: bool = False,
) -> None:
    """Leave word for a classifier to bring a stored model into force.

    Raises:
        Conflict: another version of *key* is on its way.
    """
    asked = insert(rollouts).values(
        model_id=model_id, key=key, requested_at=datetime_of(now), is_rollback=is_rollback
    )
    made = await connection.execute(asked.on_conflict_do_nothing().returning(rollouts.c.id))
    if made.one_or_none() is None:
        raise Conflict(
            f"another version of {key} is being activated: wait until it is in force",
            code="activation_under_way",
        )
    await connection.execute(
        update(models).where(models.c.id == model_id).values(state="activating")
    )
