"""Stage models in PostgreSQL: stored, read back, and asked to be put in force."""

import json
from collections.abc import Mapping
from typing import Final, NamedTuple
from uuid import UUID

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
_LAST: Final = UUID(int=(1 << 128) - 1)
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
    is_shadow: bool = False,
) -> None:
    """Leave word for a classifier to keep the journeys of a stored model, and put it in force.

    A shadow is only kept. What is a shadow already goes on from where it is.

    Raises:
        Conflict: another version of *key* is on its way.
    """
    state = "shadow" if is_shadow else "activating"
    await connection.execute(update(models).where(models.c.id == model_id).values(state=state))
    of_shadow = update(rollouts).where(rollouts.c.model_id == model_id, rollouts.c.is_shadow)
    folding = of_shadow.where(rollouts.c.phase.in_(("requested", "folding")))
    kinds = {"is_shadow": is_shadow, "is_rollback": is_rollback}
    if not is_shadow and (await connection.execute(folding.values(**kinds))).rowcount:
        return
    standing = of_shadow.where(rollouts.c.phase == "shadowing").values(phase="done")
    stood = (await connection.execute(standing)).rowcount
    # Nobody is left to be folded then, and the shadow is followed from one row to the other.
    where = {"phase": "folding", "position": _LAST} if stood else {}
    asked = {"model_id": model_id, "key": key, "requested_at": datetime_of(now), **kinds, **where}
    await _insert(connection, asked)


async def _insert(connection: AsyncConnection, asked: Mapping[str, object]) -> None:
    made = insert(rollouts).values(**asked).on_conflict_do_nothing().returning(rollouts.c.id)
    if (await connection.execute(made)).one_or_none() is None:
        raise Conflict(
            f"another version of {asked['key']} is on its way: wait until it is there",
            code="activation_under_way",
        )
