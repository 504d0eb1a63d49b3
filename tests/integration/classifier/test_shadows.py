"""Versions of stage models that are followed on live traffic without being in force."""

import asyncio

import pytest

from services.classifier.rollouts import Rollouts
from shared.errors import Conflict
from shared.instants import DAY, HOUR
from shared.journey.bundled import bundled_model
from shared.journey.loading import load_model
from shared.journey.model import StageModel
from shared.storage.rollbacks import request_rollback
from shared.storage.shadows import end_shadow, request_shadow
from shared.storage.stage_models import request_activation, store_model
from shared.storage.verification import Difference
from shared.upkeep.active_models import ActiveModels
from shared.upkeep.transactions import transaction
from tests.eventually import eventually
from tests.fixtures.classification import MODEL, START, Classifier, Sent
from tests.fixtures.histories import findings, people

RULES = bundled_model("default").split("\nexamples:")[0]
QUICKER = load_model(RULES.replace("P60D", "P20D").replace("P45D", "P10D"))
SLOWER = load_model(RULES.replace("P45D", "P90D"))
ORDER = "order_completed"
WAITING = """
SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
TABLES = ("journeys", "snapshots", "transitions")


async def ask(classifier: Classifier, model: StageModel = QUICKER) -> None:
    async with classifier.engine.begin() as connection:
        await store_model(connection, model, now=classifier.now)
        await request_shadow(connection, model.version, now=classifier.now)


async def activate(classifier: Classifier, model: StageModel = QUICKER) -> None:
    async with classifier.engine.begin() as connection:
        await store_model(connection, model, now=classifier.now)
        await request_activation(connection, model.version, now=classifier.now)


async def give_up(classifier: Classifier, model: StageModel = QUICKER) -> None:
    async with classifier.engine.begin() as connection:
        await end_shadow(connection, model.version)


async def carry_on(classifier: Classifier) -> None:
    while await classifier.rollouts.step():
        pass


async def phases(classifier: Classifier) -> list[object]:
    return [row["phase"] for row in await classifier.rows("SELECT phase FROM rollouts ORDER BY id")]


async def states(classifier: Classifier) -> dict[object, object]:
    rows = await classifier.rows("SELECT version, state FROM models")
    return {row["version"]: row["state"] for row in rows}


async def differences(classifier: Classifier) -> list[Difference]:
    return [found for found in await findings(classifier) if isinstance(found, Difference)]


async def kept(classifier: Classifier, model: StageModel = QUICKER) -> dict[str, object]:
    """Count what every table holds for *model*."""
    found = {}
    for table in TABLES:
        [row] = await classifier.rows(
            f"SELECT count(*) AS n FROM {table} t JOIN models m ON m.id = t.model_id"  # noqa: S608
            " WHERE m.version = $1",
            model.version,
        )
        found[table] = row["n"]
    return found


async def test_a_shadow_is_followed_and_exact_and_nobody_is_told(classifier: Classifier) -> None:
    await classifier.feed(Sent("o-1", ("user_id:ana",), type=ORDER))
    await ask(classifier)
    await carry_on(classifier)
    assert await phases(classifier) == ["shadowing"]
    assert await states(classifier) == {MODEL.version: "active", QUICKER.version: "shadow"}
    before = len(await classifier.outbox())
    late = Sent("v-0", ("user_id:ana",), at=START - HOUR)
    await classifier.feed(late, Sent("o-2", ("user_id:bob",), type=ORDER, at=START + DAY))
    await classifier.read_to_end()
    await classifier.timers.publish_due()
    told = (await classifier.outbox())[before:]
    assert {data["version"] for _, data in told} == {MODEL.version}
    assert (await kept(classifier))["journeys"] == 2
    assert await differences(classifier) == []


async def test_a_journey_of_a_shadow_that_is_wrong_is_found(classifier: Classifier) -> None:
    await classifier.feed(Sent("o-1", ("user_id:ana",), type=ORDER))
    await ask(classifier)
    await carry_on(classifier)
    await classifier.execute(
        "DELETE FROM transitions WHERE model_id = (SELECT id FROM models WHERE version = $1)",
        QUICKER.version,
    )
    assert len(await differences(classifier)) == 2


async def test_a_shadow_comes_into_force_without_being_folded_again(
    classifier: Classifier,
) -> None:
    await classifier.feed(*people(3, customers=20, touchpoints=100))
    await ask(classifier)
    await carry_on(classifier)
    before = await kept(classifier)
    await activate(classifier)
    assert await phases(classifier) == ["done", "folding"]
    await classifier.rollouts.step()
    assert await phases(classifier) == ["done", "clearing"]
    assert (await states(classifier))[QUICKER.version] == "active"
    await carry_on(classifier)
    assert await kept(classifier) == before
    assert (await kept(classifier, MODEL))["journeys"] == 0
    assert await differences(classifier) == []
    [decided] = await classifier.rows(
        "SELECT count(DISTINCT t.decided_at) AS n FROM transitions t"
        " JOIN models m ON m.id = t.model_id WHERE m.version = $1",
        QUICKER.version,
    )
    assert decided == {"n": 1}


async def test_a_shadow_on_its_way_can_be_put_in_force(classifier: Classifier) -> None:
    await classifier.feed(Sent("o-1", ("user_id:ana",), type=ORDER))
    await ask(classifier)
    await classifier.rollouts.step()
    await activate(classifier)
    await carry_on(classifier)
    assert await phases(classifier) == ["done"]
    assert (await states(classifier))[QUICKER.version] == "active"
    assert await differences(classifier) == []


async def test_a_shadow_stands_while_another_version_comes_into_force(
    classifier: Classifier,
) -> None:
    await classifier.feed(*people(4, customers=10, touchpoints=60))
    await ask(classifier)
    await carry_on(classifier)
    await activate(classifier, SLOWER)
    await carry_on(classifier)
    assert await states(classifier) == {
        MODEL.version: "retired",
        SLOWER.version: "active",
        QUICKER.version: "shadow",
    }
    await classifier.feed(*(one for one in people(5, customers=10, touchpoints=40)))
    assert await differences(classifier) == []


async def test_what_was_kept_of_a_shadow_goes_with_it(classifier: Classifier) -> None:
    await classifier.feed(*people(6, customers=20, touchpoints=100))
    await ask(classifier)
    await carry_on(classifier)
    assert (await kept(classifier))["journeys"] != 0
    await give_up(classifier)
    assert (await states(classifier))[QUICKER.version] == "draft"
    await carry_on(classifier)
    assert await phases(classifier) == ["done"]
    assert await kept(classifier) == dict.fromkeys(TABLES, 0)
    await classifier.feed(Sent("o-1", ("user_id:zoe",), type=ORDER))
    assert await kept(classifier) == dict.fromkeys(TABLES, 0)
    assert await differences(classifier) == []


async def test_a_shadow_can_be_given_up_on_its_way_and_asked_for_again(
    classifier: Classifier,
) -> None:
    await classifier.feed(*people(7, customers=20, touchpoints=100))
    small = Rollouts(classifier.engine, lambda: classifier.now, most=4)
    await ask(classifier)
    for _ in range(3):
        await small.step()
    await give_up(classifier)
    await ask(classifier)
    assert await phases(classifier) == ["dropping", "requested"]
    await carry_on(classifier)
    assert await phases(classifier) == ["done", "shadowing"]
    assert await differences(classifier) == []


async def test_a_batch_that_still_follows_a_shadow_is_waited_for_before_it_is_dropped(
    classifier: Classifier,
) -> None:
    await classifier.feed(Sent("o-1", ("user_id:ana",), type=ORDER))
    await ask(classifier)
    await carry_on(classifier)
    async with transaction(classifier.engine) as batch:
        followed = await ActiveModels().load(batch)
        assert len(followed) == 2
        await give_up(classifier)
        step = asyncio.create_task(classifier.rollouts.step())

        async def waits() -> bool:
            return len(await classifier.rows(WAITING)) > 0

        await eventually(waits)
        assert (await kept(classifier))["journeys"] == 1
    assert await step
    await carry_on(classifier)
    assert await kept(classifier) == dict.fromkeys(TABLES, 0)


async def test_what_a_former_time_in_force_has_left_is_history_and_stays(
    classifier: Classifier,
) -> None:
    await classifier.feed(Sent("o-1", ("user_id:ana",), type=ORDER))
    await activate(classifier)
    await carry_on(classifier)
    history = "SELECT * FROM transitions WHERE superseded_at IS NOT NULL ORDER BY id, n"
    before = await classifier.rows(history)
    assert before
    await ask(classifier, MODEL)
    await carry_on(classifier)
    await give_up(classifier, MODEL)
    await carry_on(classifier)
    assert await classifier.rows(history) == before
    assert (await states(classifier))[MODEL.version] == "retired"


async def test_a_rollback_to_a_shadow_is_a_flip(classifier: Classifier) -> None:
    await classifier.feed(Sent("o-1", ("user_id:ana",), type=ORDER))
    await activate(classifier)
    await carry_on(classifier)
    await ask(classifier, MODEL)
    await carry_on(classifier)
    async with classifier.engine.begin() as connection:
        await request_rollback(connection, None, leaving=None, now=classifier.now)
    await carry_on(classifier)
    assert await phases(classifier) == ["done", "done", "done"]
    assert await states(classifier) == {MODEL.version: "active", QUICKER.version: "retired"}
    with pytest.raises(Conflict):
        async with classifier.engine.begin() as connection:
            await request_rollback(connection, None, leaving=None, now=classifier.now)
    assert await differences(classifier) == []


async def test_what_is_in_force_is_no_shadow_and_what_is_none_cannot_be_given_up(
    classifier: Classifier,
) -> None:
    with pytest.raises(Conflict):
        await ask(classifier, MODEL)
    with pytest.raises(Conflict):
        await give_up(classifier, MODEL)
    await activate(classifier)
    with pytest.raises(Conflict):
        await ask(classifier)
    with pytest.raises(Conflict):
        await ask(classifier, SLOWER)
    assert (await states(classifier))[QUICKER.version] == "activating"


async def test_shadows_come_and_go_under_load_and_all_journeys_stay_exact(
    classifier: Classifier,
) -> None:
    """Batches, timers and rollouts at once, as in a running classifier."""
    sent = people(13, customers=100, touchpoints=1_600)
    await classifier.feed(*sent[:600])
    stopping = asyncio.Event()
    rollouts = Rollouts(classifier.engine, lambda: classifier.now, most=4)

    async def feed(mine: list[Sent]) -> None:
        for start in range(0, len(mine), 20):
            await classifier.feed(*mine[start : start + 20])
            await classifier.read_to_end()
            await classifier.timers.publish_due()

    async def standing() -> bool:
        return (await phases(classifier))[-1] == "shadowing"

    async def settled() -> bool:
        return set(await phases(classifier)) <= {"done", "shadowing"}

    async with asyncio.TaskGroup() as group:
        group.create_task(rollouts.run(stopping))
        feeding = group.create_task(feed(sent[600:]))
        await ask(classifier)
        await ask_when_free(classifier, SLOWER)
        await eventually(standing)
        await give_up(classifier)
        await activate(classifier, SLOWER)
        await feeding
        await eventually(settled)
        stopping.set()
    assert (await states(classifier))[SLOWER.version] == "active"
    assert await kept(classifier) == dict.fromkeys(TABLES, 0)
    assert await differences(classifier) == []


async def ask_when_free(classifier: Classifier, model: StageModel) -> None:
    """Ask for a shadow once no other version of its key is on its way."""

    async def asked() -> bool:
        try:
            await ask(classifier, model)
        except Conflict:
            return False
        return True

    await eventually(asked)
