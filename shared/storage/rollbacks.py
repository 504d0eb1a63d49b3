"""Rollbacks: the version of a stage model that was in force before comes back.

They go back along the history of activations, like undo in an editor: after A, B and C a rollback
gives B, the next one A, and then there is nothing before. Activating something ends what could be
redone, not what can be undone: after A, B, a rollback to A and then D, a rollback gives A.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.errors import Conflict, NotFound
from shared.instants import Instant
from shared.storage.engine import driver_of
from shared.storage.stage_models import begin_rollout

_IN_FORCE: Final = """
SELECT id, key, version FROM models
 WHERE state = 'active'
   AND key = (SELECT key FROM models
               WHERE CASE WHEN $1::text IS NULL THEN is_default ELSE $1 IN (key, version) END
               LIMIT 1)
   FOR NO KEY UPDATE
"""
_UNDER_WAY: Final = """
SELECT r.is_rollback, m.version FROM rollouts r JOIN models m ON m.id = r.model_id
 WHERE r.key = $1 AND r.phase IN ('requested', 'folding')
"""
_HISTORY: Final = "SELECT model_id, is_rollback FROM activations WHERE key = $1 ORDER BY id"
_VERSION: Final = "SELECT version FROM models WHERE id = $1"


class Activation(NamedTuple):
    """One entry of a key's history."""

    model_id: int
    is_rollback: bool


class Rollback(NamedTuple):
    """Which version comes back, and which one it takes the place of."""

    version: str
    former: str


def standing(history: Iterable[Activation]) -> list[int]:
    """Return the models that can be gone back to, the oldest first, the one in force last.

    Args:
        history: Of one key, in the order in which it happened.
    """
    stack: list[int] = []
    for model_id, is_rollback in history:
        if is_rollback and model_id in stack[:-1]:
            stack.pop()
        elif stack[-1:] != [model_id]:
            stack.append(model_id)
    return stack


async def request_rollback(
    connection: AsyncConnection, name: str | None, *, leaving: str | None, now: Instant
) -> Rollback:
    """Ask for the version before the one in force; a rollback under way is asked for but once.

    A classifier carries it on from here.

    Args:
        connection: In a transaction.
        name: The key of a model, or any version of it; None for the default model.
        leaving: The version that is to be given up, where the caller knows it.
        now: The present.

    Raises:
        NotFound: nothing of that name is in force.
        Conflict: nothing was in force before (``nothing_before``), *leaving* is not in force
            (``not_in_force``), or another version is on its way.
    """
    driver = await driver_of(connection)
    row = await driver.fetchrow(_IN_FORCE, name)
    if row is None:
        raise NotFound("no stage model in force has that key, and none has that version")
    if leaving not in (None, row["version"]):
        raise Conflict(
            f"{leaving} is not in force, {row['version']} is: nothing was rolled back",
            code="not_in_force",
        )
    under_way = await driver.fetchrow(_UNDER_WAY, row["key"])
    if under_way is not None and under_way["is_rollback"]:
        return Rollback(under_way["version"], row["version"])
    before = await _before(driver, row["key"])
    await begin_rollout(connection, before, row["key"], now=now, is_rollback=True)
    return Rollback(await driver.fetchval(_VERSION, before), row["version"])


async def _before(driver: asyncpg.Connection, key: str) -> int:
    stack = standing(Activation(*row) for row in await driver.fetch(_HISTORY, key))
    if len(stack) < 2:  # noqa: PLR2004 - the one in force and one before it
        raise Conflict(f"no version of {key} was in force before this one", code="nothing_before")
    return stack[-2]
