"""Shadows: versions of stage models whose journeys are kept, and of which nobody is told.

A shadow is a rollout that stops before its model comes into force. It can be watched for as long as
one likes, be put in force at once, or be given up.
"""

from typing import Final

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.errors import Conflict, NotFound
from shared.instants import Instant
from shared.storage.engine import driver_of
from shared.storage.stage_models import begin_rollout

_MODEL: Final = "SELECT id, key, state FROM models WHERE version = $1 FOR NO KEY UPDATE"
_GIVE_UP: Final = """
UPDATE rollouts
   SET phase = 'dropping', position = '00000000-0000-0000-0000-000000000000'
 WHERE model_id = $1 AND is_shadow AND phase IN ('requested', 'folding', 'shadowing')
"""
_STATE: Final = """
UPDATE models
   SET state = CASE WHEN activated_at IS NULL THEN 'draft' ELSE 'retired' END
 WHERE id = $1
"""


async def request_shadow(connection: AsyncConnection, version: str, *, now: Instant) -> None:
    """Ask for the journeys of *version* to be kept; nothing happens if they are, or soon will be.

    A classifier carries it on from here.

    Args:
        connection: In a transaction.
        version: Of a stored model.
        now: The present.

    Raises:
        NotFound: no model has that version.
        Conflict: it is in force or about to be, or another version of its key is on its way.
    """
    row = await _model(await driver_of(connection), version)
    if row["state"] in {"active", "activating"}:
        raise Conflict(
            f"this version is {row['state']}: its journeys are kept already", code="in_force"
        )
    if row["state"] != "shadow":
        await begin_rollout(connection, row["id"], row["key"], now=now, is_shadow=True)


async def end_shadow(connection: AsyncConnection, version: str) -> None:
    """Give a shadow up: nothing follows it any more, and a classifier drops its journeys.

    Args:
        connection: In a transaction.
        version: Of a stored model.

    Raises:
        NotFound: no model has that version.
        Conflict: it is no shadow.
    """
    driver = await driver_of(connection)
    row = await _model(driver, version)
    if row["state"] != "shadow":
        raise Conflict(f"this version is no shadow but {row['state']}", code="no_shadow")
    await driver.execute(_GIVE_UP, row["id"])
    await driver.execute(_STATE, row["id"])


async def _model(driver: asyncpg.Connection, version: str) -> asyncpg.Record:
    row = await driver.fetchrow(_MODEL, version)
    if row is None:
        raise NotFound("no stage model has that version")
    return row
