"""Releases: stage models handed in, and put in force."""

import asyncio
from typing import Final

import asyncpg

from services.api.readers.stage_models import read_model_row
from services.api.resources import Resources
from services.api.transactions import reading, writing
from shared.journey.loading import load_model
from shared.journey.model import StageModel
from shared.storage.audit import Act, record_act
from shared.storage.engine import driver_of
from shared.storage.stage_models import Stored, request_activation, store_model

FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 1.0


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
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    pause = FIRST_PAUSE_SECONDS
    while True:
        async with reading(resources.engine) as connection:
            row = await read_model_row(connection, version)
        left = deadline - loop.time()
        if row["state"] != "activating" or left <= 0:
            return row
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
