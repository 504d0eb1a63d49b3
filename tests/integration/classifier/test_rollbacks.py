"""Going back to a former version while touchpoints, merges and deadlines go on."""

import asyncio

from services.classifier.rollouts import Rollouts
from shared.journey.bundled import bundled_model
from shared.journey.loading import load_model
from shared.journey.model import StageModel
from shared.storage.rollbacks import Rollback, request_rollback
from shared.storage.stage_models import request_activation, store_model
from shared.storage.verification import Difference
from tests.eventually import eventually
from tests.fixtures.classification import MODEL, Classifier, Sent
from tests.fixtures.histories import findings, people

RULES = bundled_model("default").split("\nexamples:")[0]
QUICKER = load_model(RULES.replace("P60D", "P20D").replace("P45D", "P10D"))
ORDER = "order_completed"


async def activate(classifier: Classifier, model: StageModel) -> None:
    async with classifier.engine.begin() as connection:
        await store_model(connection, model, now=classifier.now)
        await request_activation(connection, model.version, now=classifier.now)


async def roll_back(classifier: Classifier) -> Rollback:
    async with classifier.engine.begin() as connection:
        return await request_rollback(connection, None, leaving=None, now=classifier.now)


async def in_force(classifier: Classifier) -> object:
    [row] = await classifier.rows("SELECT version FROM models WHERE is_default")
    return row["version"]


async def differences(classifier: Classifier) -> list[Difference]:
    return [found for found in await findings(classifier) if isinstance(found, Difference)]


async def carry_on(classifier: Classifier) -> None:
    while await classifier.rollouts.step():
        pass


async def test_the_world_is_told_which_version_is_in_force_again(classifier: Classifier) -> None:
    await classifier.feed(Sent("o-1", ("user_id:ana",), type=ORDER))
    await activate(classifier, QUICKER)
    await carry_on(classifier)
    before = len(await classifier.outbox())
    assert await roll_back(classifier) == Rollback(MODEL.version, QUICKER.version)
    await carry_on(classifier)
    [(kind, data)] = (await classifier.outbox())[before:]
    assert kind == "model.activated"
    assert (data["version"], data["previous"]) == (MODEL.version, QUICKER.version)
    history = await classifier.rows("SELECT is_rollback FROM activations ORDER BY id")
    assert [row["is_rollback"] for row in history] == [False, False, True]


async def test_it_verifies_when_versions_go_to_and_fro_under_load(classifier: Classifier) -> None:
    """Batches, timers and rollouts at once, as in a running classifier."""
    sent = people(17, customers=100, touchpoints=1_800)
    await classifier.feed(*sent[:600])
    stopping = asyncio.Event()

    async def feed(partition: int, mine: list[Sent]) -> None:
        for start in range(0, len(mine), 30):
            await classifier.feed(*mine[start : start + 30], partition=partition)
            await classifier.read_to_end(partition)
            await classifier.timers.publish_due()

    async def becomes(version: str) -> None:
        async def is_so() -> bool:
            return await in_force(classifier) == version

        await eventually(is_so)

    async def settled() -> bool:
        rows = await classifier.rows("SELECT FROM rollouts WHERE phase <> 'done'")
        return not rows

    async with asyncio.TaskGroup() as group:
        rollouts = Rollouts(classifier.engine, lambda: classifier.now, most=4)
        group.create_task(rollouts.run(stopping))
        async with asyncio.TaskGroup() as feeding:
            feeding.create_task(feed(0, sent[600:1_200]))
            feeding.create_task(feed(1, sent[1_200:]))
            for _ in range(2):
                await activate(classifier, QUICKER)
                await becomes(QUICKER.version)
                await roll_back(classifier)
                await becomes(MODEL.version)
        await eventually(settled)
        stopping.set()
    assert await in_force(classifier) == MODEL.version
    assert await differences(classifier) == []
