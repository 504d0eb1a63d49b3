"""A stage model that comes into force while touchpoints, merges and deadlines go on."""

import asyncio
import random
from itertools import count

import pytest

from services.classifier.rollouts import MOST_CUSTOMERS, Rollouts
from shared.errors import Conflict, NotFound
from shared.identity.identifiers import identifier_id
from shared.instants import DAY, HOUR, Instant
from shared.journey.bundled import bundled_model
from shared.journey.fold import fold
from shared.journey.loading import load_model
from shared.journey.model import StageModel
from shared.journey.moves import transition_id
from shared.journey.program import compile_model
from shared.storage.rows import touchpoint_of
from shared.storage.stage_models import request_activation, store_model
from shared.storage.verification import Difference
from shared.touchpoints import Identifier
from shared.upkeep.active_models import ActiveModels
from shared.upkeep.transactions import transaction
from tests.eventually import eventually
from tests.fixtures.classification import MODEL, START, Classifier, Sent
from tests.fixtures.histories import findings, people

RULES = bundled_model("default").split("\nexamples:")[0]
QUICKER = load_model(RULES.replace("P60D", "P20D").replace("P45D", "P10D"))
"""Another version of the model in force: dormant after 20 days, settled after 10."""
OTHER = load_model(bundled_model("five-stage"))
"""A model with a key of its own."""
ORDER = "order_completed"
WAITING = """
SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


async def ask(classifier: Classifier, model: StageModel) -> None:
    async with classifier.engine.begin() as connection:
        await store_model(connection, model, now=classifier.now)
        await request_activation(connection, model.version, now=classifier.now)


async def phase(classifier: Classifier) -> str:
    [row] = await classifier.rows("SELECT phase FROM rollouts ORDER BY id DESC LIMIT 1")
    return str(row["phase"])


async def carry_on(classifier: Classifier, until: str = "done") -> None:
    """Take steps until the newest rollout has come to a phase."""
    while await phase(classifier) != until:
        assert await classifier.rollouts.step()


async def roll_out(classifier: Classifier, model: StageModel) -> None:
    await ask(classifier, model)
    await carry_on(classifier)


async def waiting_step(classifier: Classifier) -> asyncio.Task[bool]:
    """Begin a step that has to wait for another transaction, and return once it does."""
    step = asyncio.create_task(classifier.rollouts.step())

    async def waits() -> bool:
        rows = await classifier.rows(WAITING)
        return len(rows) > 0

    await eventually(waits)
    return step


async def differences(classifier: Classifier) -> list[Difference]:
    return [found for found in await findings(classifier) if isinstance(found, Difference)]


async def states(classifier: Classifier) -> dict[str, str]:
    rows = await classifier.rows("SELECT version, state FROM models")
    return {str(row["version"]): str(row["state"]) for row in rows}


async def standing(classifier: Classifier, model: StageModel) -> set[str]:
    """Return the ids of the believed transitions under *model*."""
    rows = await classifier.rows(
        "SELECT t.id FROM transitions t JOIN models m ON m.id = t.model_id"
        " WHERE m.version = $1 AND t.superseded_at IS NULL",
        model.version,
    )
    return {str(row["id"]) for row in rows}


async def folded(classifier: Classifier, model: StageModel, as_of: Instant) -> set[str]:
    """Return the ids of the transitions that follow from everything stored."""
    rows = await classifier.rows(
        "SELECT i.customer_id, t.source, t.event_id, t.effective_at, t.channel, t.type, t.body"
        "  FROM touchpoints t JOIN identifiers i ON i.id = t.identifier_id"
    )
    program = compile_model(model)
    customers = {str(row["customer_id"]) for row in rows}
    return {
        transition_id(model.version, customer, move)
        for customer in customers
        for move in fold(
            program,
            [touchpoint_of(row) for row in rows if str(row["customer_id"]) == customer],
            as_of,
        ).transitions
    }


async def test_a_new_version_takes_the_place_of_the_one_before(classifier: Classifier) -> None:
    await classifier.feed(Sent("o-1", ("user_id:ana",), type=ORDER))
    await roll_out(classifier, QUICKER)
    assert await states(classifier) == {MODEL.version: "retired", QUICKER.version: "active"}
    [default] = await classifier.rows("SELECT version FROM models WHERE is_default")
    assert default == {"version": QUICKER.version}
    assert await standing(classifier, MODEL) == set()
    assert await standing(classifier, QUICKER) == await folded(classifier, QUICKER, START)
    assert await differences(classifier) == []


async def test_the_rows_of_both_versions_carry_the_time_of_the_activation(
    classifier: Classifier,
) -> None:
    await classifier.feed(Sent("o-1", ("user_id:ana",), type=ORDER))
    await roll_out(classifier, QUICKER)
    [activation] = await classifier.rows(
        "SELECT activated_at, recorded_at FROM activations WHERE superseded_at IS NULL"
    )
    moment = activation["activated_at"]
    assert activation["recorded_at"] == moment
    rows = await classifier.rows(
        "SELECT m.version, t.decided_at, t.superseded_at FROM transitions t"
        " JOIN models m ON m.id = t.model_id"
    )
    ended = [row["superseded_at"] for row in rows if row["version"] == MODEL.version]
    decided = [row["decided_at"] for row in rows if row["version"] == QUICKER.version]
    assert ended == [moment, moment]
    assert decided == [moment, moment]
    [former] = await classifier.rows(
        "SELECT superseded_at FROM activations WHERE superseded_at IS NOT NULL"
    )
    assert former["superseded_at"] == moment


async def test_the_world_is_told_of_the_activation_alone(classifier: Classifier) -> None:
    await classifier.feed(Sent("o-1", ("user_id:ana",), type=ORDER))
    await classifier.read_to_end()
    await classifier.timers.publish_due()
    before = len(await classifier.outbox())
    await roll_out(classifier, QUICKER)
    await classifier.timers.publish_due()
    [(kind, data)] = (await classifier.outbox())[before:]
    assert kind == "model.activated"
    assert (data["model"], data["version"], data["previous"]) == (
        "default",
        QUICKER.version,
        MODEL.version,
    )
    await classifier.feed(Sent("o-2", ("user_id:ana",), type=ORDER, at=START + DAY))
    versions = {data["version"] for _, data in (await classifier.outbox())[before + 1 :]}
    assert versions == {QUICKER.version}


async def test_nothing_of_a_model_on_its_way_is_told_or_left_when_taken_back(
    classifier: Classifier,
) -> None:
    await classifier.feed(Sent("v-1", ("user_id:ana",)))
    await ask(classifier, QUICKER)
    await carry_on(classifier, "folding")
    await classifier.rollouts.step()
    before = len(await classifier.outbox())
    late = Sent("o-1", ("user_id:ana",), type=ORDER, at=START - HOUR)
    await classifier.feed(late, Sent("v-2", ("user_id:bob",)))
    told = (await classifier.outbox())[before:]
    assert {data["version"] for _, data in told} == {MODEL.version}
    assert await standing(classifier, QUICKER) == await folded(classifier, QUICKER, START)
    [gone] = await classifier.rows(
        "SELECT count(*) AS n FROM transitions t JOIN models m ON m.id = t.model_id"
        " WHERE m.version = $1 AND t.superseded_at IS NOT NULL",
        QUICKER.version,
    )
    assert gone == {"n": 0}


async def test_deadlines_that_have_passed_are_in_force_with_the_model(
    classifier: Classifier,
) -> None:
    await classifier.feed(Sent("o-1", ("user_id:ana",), type=ORDER))
    await classifier.read_to_end()
    await roll_out(classifier, QUICKER)
    now = classifier.now
    assert await standing(classifier, QUICKER) == await folded(classifier, QUICKER, now)
    rows = await classifier.rows("SELECT next_at FROM journeys WHERE next_at IS NOT NULL")
    assert rows == []


async def test_a_deadline_that_the_log_may_still_put_off_is_not(classifier: Classifier) -> None:
    await classifier.feed(Sent("o-1", ("user_id:ana",), type=ORDER))
    await roll_out(classifier, QUICKER)
    assert await standing(classifier, QUICKER) == await folded(classifier, QUICKER, START)


async def test_a_model_with_a_key_of_its_own_comes_beside_the_others(
    classifier: Classifier,
) -> None:
    await classifier.feed(Sent("o-1", ("user_id:ana",), type=ORDER))
    await roll_out(classifier, OTHER)
    assert await states(classifier) == {MODEL.version: "active", OTHER.version: "active"}
    [default] = await classifier.rows("SELECT version FROM models WHERE is_default")
    assert default == {"version": MODEL.version}
    await classifier.feed(Sent("o-2", ("user_id:ana",), type=ORDER, at=START + DAY))
    for model in (MODEL, OTHER):
        assert await standing(classifier, model) == await folded(classifier, model, START + DAY)
    assert await differences(classifier) == []


async def test_a_version_comes_back_as_if_it_had_never_been_away(classifier: Classifier) -> None:
    await classifier.feed(Sent("o-1", ("user_id:ana",), type=ORDER))
    await roll_out(classifier, QUICKER)
    await classifier.feed(
        Sent("v-1", ("user_id:ana",), at=START + DAY), Sent("v-1", ("user_id:bob",), source="app")
    )
    await roll_out(classifier, MODEL)
    assert await states(classifier) == {MODEL.version: "active", QUICKER.version: "retired"}
    assert await standing(classifier, MODEL) == await folded(classifier, MODEL, START + DAY)
    assert await differences(classifier) == []
    numbers = await classifier.rows(
        "SELECT max(n) AS n FROM transitions t JOIN models m ON m.id = t.model_id"
        " WHERE m.version = $1 AND to_key = 'onboarding' AND superseded_at IS NULL",
        MODEL.version,
    )
    assert numbers == [{"n": 2}]


async def test_a_version_is_asked_for_once_however_often_it_is(classifier: Classifier) -> None:
    await ask(classifier, QUICKER)
    await ask(classifier, QUICKER)
    [count] = await classifier.rows("SELECT count(*) AS n FROM rollouts")
    assert count == {"n": 1}
    await carry_on(classifier)
    await ask(classifier, QUICKER)
    assert await classifier.rollouts.step() is False


async def test_two_versions_of_a_key_are_not_on_their_way_at_once(classifier: Classifier) -> None:
    other = load_model(RULES.replace("P60D", "P30D"))
    await ask(classifier, QUICKER)
    with pytest.raises(Conflict):
        await ask(classifier, other)
    await carry_on(classifier, "clearing")
    await roll_out(classifier, other)
    assert (await states(classifier))[other.version] == "active"


async def test_a_version_that_nobody_stored_cannot_be_asked_for(classifier: Classifier) -> None:
    with pytest.raises(NotFound):
        async with classifier.engine.begin() as connection:
            await request_activation(connection, "0" * 64, now=START)


async def test_a_known_version_takes_over_the_wording(classifier: Classifier) -> None:
    renamed = load_model(RULES.replace("title: Customer", 'title: "\\0Met"\n#'))
    async with classifier.engine.begin() as connection:
        stored = await store_model(connection, renamed, now=START)
    assert (stored.state, stored.is_new) == ("active", False)
    [row] = await classifier.rows("SELECT revision, title FROM models")
    assert row == {"revision": 2, "title": "\ufffdMet"}


async def test_progress_is_told_customer_by_customer(classifier: Classifier) -> None:
    many = MOST_CUSTOMERS + 50
    await classifier.feed(*(Sent(f"e{n}", (f"user_id:u{n}",)) for n in range(many)))
    await ask(classifier, QUICKER)
    await carry_on(classifier, "folding")
    seen = []
    while await phase(classifier) == "folding":
        [row] = await classifier.rows("SELECT customers_done, customers_of FROM rollouts")
        seen.append((row["customers_done"], row["customers_of"]))
        await classifier.rollouts.step()
    assert seen == [(0, many), (MOST_CUSTOMERS, many), (many, many)]


async def test_customers_that_were_missed_are_found_before_anything_is_in_force(
    classifier: Classifier,
) -> None:
    await classifier.feed(Sent("o-1", ("user_id:ana",), type=ORDER))
    await ask(classifier, QUICKER)
    await carry_on(classifier, "folding")
    await classifier.rollouts.step()
    for table in ("journeys", "transitions"):
        await classifier.execute(
            f"DELETE FROM {table} WHERE model_id = (SELECT max(id) FROM models)"  # noqa: S608
        )
    await carry_on(classifier)
    assert await differences(classifier) == []


async def test_another_process_takes_no_step_at_the_same_time(classifier: Classifier) -> None:
    await ask(classifier, QUICKER)
    async with transaction(classifier.engine) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(x'726f6c6c'::bigint)")
        assert await classifier.rollouts.step() is False
    assert await classifier.rollouts.step() is True


async def test_a_batch_that_does_not_know_of_the_model_is_waited_for(
    classifier: Classifier,
) -> None:
    await ask(classifier, QUICKER)
    async with transaction(classifier.engine) as batch:
        await ActiveModels().load(batch)
        step = await waiting_step(classifier)
        assert await phase(classifier) == "requested"
    assert await step
    assert await phase(classifier) == "folding"


async def test_a_batch_that_changes_a_customer_is_waited_for(classifier: Classifier) -> None:
    await classifier.feed(Sent("v-1", ("user_id:ana",)))
    await ask(classifier, QUICKER)
    await carry_on(classifier, "folding")
    async with transaction(classifier.engine) as batch:
        await batch.execute("UPDATE identifiers SET last_seen_at = last_seen_at")
        step = await waiting_step(classifier)
        assert await standing(classifier, QUICKER) == set()
    assert await step
    assert await standing(classifier, QUICKER) == await folded(classifier, QUICKER, START)


async def test_what_merges_hand_over_while_rows_are_settled_is_settled_too(
    classifier: Classifier,
) -> None:
    heir, gone = next(
        pair
        for pair in (
            (Identifier("user_id", f"u{n}"), Identifier("anonymous_id", "a")) for n in count()
        )
        if identifier_id(pair[0]) < identifier_id(pair[1])
    )
    classifier.rollouts = Rollouts(classifier.engine, lambda: classifier.now, most=1)
    await classifier.feed(Sent("v-1", (str(heir),)), Sent("v-2", (str(gone),)))
    await ask(classifier, QUICKER)
    await carry_on(classifier, "clearing")
    await classifier.rollouts.step()
    assert len(await standing(classifier, MODEL)) == 2
    await classifier.feed(Sent("i-1", (str(heir), str(gone)), type="identify"))
    await carry_on(classifier)
    assert await standing(classifier, MODEL) == set()
    assert await differences(classifier) == []


@pytest.mark.parametrize("seed", range(4))
async def test_it_verifies_whatever_happens_between_its_steps(
    classifier: Classifier, seed: int
) -> None:
    classifier.rollouts = Rollouts(classifier.engine, lambda: classifier.now, most=4)
    chance = random.Random(seed)
    arriving = people(seed)
    chance.shuffle(arriving)
    asked = [QUICKER, OTHER, MODEL]
    while arriving or asked or await classifier.rollouts.step():
        size = chance.randrange(1, 40)
        await classifier.feed(*arriving[:size], partition=chance.randrange(2)) if arriving else None
        del arriving[:size]
        for _ in range(chance.randrange(3)):
            await classifier.rollouts.step()
        if chance.random() < 0.3:
            for partition in (0, 1):
                await classifier.read_to_end(partition)
            await classifier.timers.publish_due()
        if asked and chance.random() < 0.3:
            await ask(classifier, asked.pop(0))
        assert await differences(classifier) == []
    assert set((await states(classifier)).values()) == {"active", "retired"}
    for model in (MODEL, OTHER):
        before = await standing(classifier, model)
        assert before <= await folded(classifier, model, classifier.now)


async def test_it_verifies_under_load(classifier: Classifier) -> None:
    """Batches of two partitions, timers and the rollout at once, as in a running classifier."""
    sent = people(11, customers=150, touchpoints=3_000)
    await classifier.feed(*sent[:1_000])
    stopping = asyncio.Event()

    async def feed(partition: int, mine: list[Sent]) -> None:
        while mine:
            await classifier.feed(*mine[:40], partition=partition)
            await classifier.read_to_end(partition)
            del mine[:40]

    async def publish() -> None:
        while not stopping.is_set():
            await classifier.timers.publish_due()
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        group.create_task(publish())
        rollouts = Rollouts(classifier.engine, lambda: classifier.now, most=3)
        carrying = group.create_task(rollouts.run(stopping))
        await ask(classifier, QUICKER)
        await ask(classifier, OTHER)
        async with asyncio.TaskGroup() as feeding:
            feeding.create_task(feed(0, sent[1_000:2_000]))
            feeding.create_task(feed(1, sent[2_000:]))

        async def done() -> bool:
            return await phase(classifier) == "done"

        await eventually(done)
        stopping.set()
        await carrying
    assert (await states(classifier))[QUICKER.version] == "active"
    assert await differences(classifier) == []
