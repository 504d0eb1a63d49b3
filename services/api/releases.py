"""Releases: stage models handed in, and put in force."""

import asyncio
from typing import Final, NamedTuple

import asyncpg

from services.api.readers.stage_models import read_model_row
from services.api.resources import Resources
from services.api.transactions import reading, writing
from shared.journey.loading import load_model
from shared.journey.model import StageModel
from shared.storage.audit import Act, record_act
from shared.storage.engine import driver_of
from shared.storage.rollbacks import request_rollback
from shared.storage.shadows import end_shadow, request_shadow
from shared.storage.stage_models import Stored, request_activation, store_model
from shared.touchpoints import JsonObject

FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 1.0


class RollbackWish(NamedTuple):
    """Which model: its key or any version, None for the default; the version to give up; why."""

    name: str | None
    leaving: str | None = None
    reason: str = ""


async def hand_in(
    resources: Resources, document: bytes, *, actor: str
) -> tuple[StageModel, Stored]:
    """Load *document* and store it as a draft, or as the wording of a version that is known.

    Raises:
        ModelRefused: it is no valid stage model; every fault has its path.
    """
    # Reading a large document and folding its examples takes a while.
    model = await asyncio.to_thread(load_model, document)
    now = resources.clock()
    async with writing(resources.engine) as connection:
        stored = await store_model(connection, model, now=now)
        act = Act(actor, "model.handed_in", f"model:{model.version}", details={"key": model.key})
        await record_act(await driver_of(connection), act, at=now)
    return model, stored


async def put_in_force(
    resources: Resources, version: str, *, patience: float, actor: str
) -> asyncpg.Record:
    """Ask for *version* to be activated, and wait for it.

    A classifier does the work, whether anybody waits or not. No connection is held meanwhile.

    Args:
        resources: Of the API.
        version: Of a stored model.
        patience: Seconds to wait.
        actor: Who asks.

    Returns:
        The model's row at the end of the wait; its state tells whether it is in force.

    Raises:
        NotFound: no model has that version.
        Conflict: another version of the same key is on its way.
    """
    now = resources.clock()
    async with writing(resources.engine) as connection:
        await request_activation(connection, version, now=now)
        act = Act(actor, "model.activation_asked", f"model:{version}")
        await record_act(await driver_of(connection), act, at=now)
    return await _until_settled(resources, version, patience)


async def shadow(
    resources: Resources, version: str, *, patience: float, actor: str
) -> asyncpg.Record:
    """Ask for the journeys of *version* to be kept beside those in force, and wait for it.

    Returns:
        The model's row at the end of the wait; it has no progress once all are kept.

    Raises:
        NotFound: no model has that version.
        Conflict: it is in force, or another version of its key is on its way.
    """
    now = resources.clock()
    async with writing(resources.engine) as connection:
        await request_shadow(connection, version, now=now)
        act = Act(actor, "model.shadow_asked", f"model:{version}")
        await record_act(await driver_of(connection), act, at=now)
    return await _until_settled(resources, version, patience)


async def give_up_shadow(resources: Resources, version: str, *, actor: str) -> asyncpg.Record:
    """Let nothing follow *version* any more.

    Raises:
        NotFound: no model has that version.
        Conflict: it is no shadow.
    """
    async with writing(resources.engine) as connection:
        await end_shadow(connection, version)
        act = Act(actor, "model.shadow_ended", f"model:{version}")
        driver = await driver_of(connection)
        await record_act(driver, act, at=resources.clock())
        return await read_model_row(driver, version)


async def roll_back(
    resources: Resources, wish: RollbackWish, *, patience: float, actor: str
) -> tuple[asyncpg.Record, str]:
    """Ask for the version that was in force before, and wait for it.

    Args:
        resources: Of the API.
        wish: What is to be rolled back.
        patience: Seconds to wait.
        actor: Who asks.

    Returns:
        The row of the version that comes back, as at the end of the wait, and the version that is
        given up.

    Raises:
        NotFound: nothing of that name is in force.
        Conflict: there is no version to go back to, or another one is on its way.
    """
    now = resources.clock()
    async with writing(resources.engine) as connection:
        asked = await request_rollback(connection, wish.name, leaving=wish.leaving, now=now)
        details: JsonObject = {"from": asked.former}
        act = Act(
            actor, "model.rollback_asked", f"model:{asked.version}", wish.reason or None, details
        )
        await record_act(await driver_of(connection), act, at=now)
    return await _until_settled(resources, asked.version, patience), asked.former


async def _until_settled(resources: Resources, version: str, patience: float) -> asyncpg.Record:
    """Return the row of *version* once it is not on its way any more, or patience has ended."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    pause = FIRST_PAUSE_SECONDS
    while True:
        async with reading(resources.engine) as connection:
            row = await read_model_row(connection, version)
        left = deadline - loop.time()
        if row["customers_done"] is None or left <= 0:
            return row
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
