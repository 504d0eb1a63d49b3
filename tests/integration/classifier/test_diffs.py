"""Diffs carried on by a classifier, beside everything else it does."""

import asyncio
from collections import Counter

import pytest

from services.classifier.diffs import LONGEST_WAIT, Diffs
from services.classifier.rollouts import Rollouts
from shared.instants import DAY, MINUTE, SECOND, Instant
from shared.journey.bundled import bundled_model
from shared.journey.fold import fold
from shared.journey.loading import load_model
from shared.journey.model import StageModel
from shared.journey.program import compile_model
from shared.storage.diffs import Question, StoredDiff, ask_diff, find_diff, note_told
from shared.storage.rows import touchpoint_of
from shared.storage.stage_models import request_activation, store_model
from shared.storage.verification import Difference
from shared.touchpoints import Touchpoint
from shared.upkeep.transactions import transaction
from tests.eventually import eventually
from tests.fixtures.classification import MODEL, START, Classifier, Sent
from tests.fixtures.histories import findings, people

RULES = bundled_model("default").split("\nexamples:")[0]
QUICKER = load_model(RULES.replace("P60D", "P20D").replace("P45D", "P10D"))
OTHER = load_model(bundled_model("five-stage"))
ORDER = "order_completed"
WAITING = """
SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


async def ids(classifier: Classifier) -> dict[str, int]:
    rows = await classifier.rows("SELECT version, id FROM models")
    return {str(row["version"]): int(str(row["id"])) for row in rows}


async def ask(
    classifier: Classifier,
    model: StageModel = QUICKER,
    against: StageModel = MODEL,
    as_of: Instant | None = None,
    *,
    all_read: bool = True,
) -> int:
    if all_read:
        await classifier.read_to_end()
    async with classifier.engine.begin() as connection:
        await store_model(connection, model, now=classifier.now)
    known = await ids(classifier)
    question = Question(known[model.version], known[against.version], as_of)
    async with transaction(classifier.engine) as connection:
        asked = await ask_diff(connection, question, now=classifier.now, most=9)
    assert asked is not None
    return asked


async def look(classifier: Classifier, diff_id: int, model: StageModel = QUICKER) -> StoredDiff:
    known = await ids(classifier)
    async with transaction(classifier.engine) as connection:
        diff = await find_diff(connection, diff_id, known[model.version])
    assert diff is not None
    return diff


async def carry_out(
    classifier: Classifier, diffs: Diffs | None = None, as_of: Instant | None = None
) -> StoredDiff:
    asked = await ask(classifier, as_of=as_of)
    while await (diffs or classifier.diffs).step():
        pass
    async with transaction(classifier.engine) as connection:
        await note_told(connection, asked)
    return await look(classifier, asked)


async def histories(classifier: Classifier) -> dict[str, list[Touchpoint]]:
    rows = await classifier.rows(
        "SELECT i.customer_id, t.source, t.event_id, t.effective_at, t.channel, t.type, t.body"
        "  FROM touchpoints t JOIN identifiers i ON i.id = t.identifier_id"
    )
    found: dict[str, list[Touchpoint]] = {}
    for row in rows:
        found.setdefault(str(row["customer_id"]), []).append(touchpoint_of(row))
    return found


async def expected(classifier: Classifier, as_of: Instant) -> Counter[tuple[object, object]]:
    """Count who goes from where to where by folding every history whole."""
    programs = [compile_model(model) for model in (MODEL, QUICKER)]
    flows: Counter[tuple[object, object]] = Counter()
    for history in (await histories(classifier)).values():
        stages = [fold(program, history, as_of).stage for program in programs]
        before, after = (None if stage is None else stage.key for stage in stages)
        flows[before, after] += 1
    return flows


async def check_drill(classifier: Classifier, diff: StoredDiff) -> None:
    """Check that each flow counts exactly the customers that are listed for it."""
    rows = await classifier.rows(
        "SELECT from_key, to_key, count(*) AS n FROM diff_customers WHERE diff_id = $1"
        " GROUP BY 1, 2",
        diff.id,
    )
    listed = {(row["from_key"], row["to_key"]): row["n"] for row in rows}
    counted = {
        (flow.before or "", flow.after or ""): flow.differ for flow in diff.flows if flow.differ
    }
    assert listed == counted
    assert sum(flow.customers for flow in diff.flows) == diff.customers_done


@pytest.mark.parametrize("days", [0, 40, 400])
async def test_it_counts_what_whole_histories_give(classifier: Classifier, days: int) -> None:
    await classifier.feed(*people(5, customers=60, touchpoints=900))
    as_of = START + days * DAY
    diff = await carry_out(classifier, as_of=as_of)
    counted = {(flow.before, flow.after): flow.customers for flow in diff.flows}
    assert counted == await expected(classifier, as_of)
    await check_drill(classifier, diff)


async def test_it_comes_out_the_same_in_steps_of_any_size(classifier: Classifier) -> None:
    await classifier.feed(*people(6, customers=40, touchpoints=600))
    as_of = START + 100 * DAY
    found = [
        await carry_out(
            classifier,
            Diffs(classifier.engine, lambda: classifier.now, most=most),
            as_of,
        )
        for most in (1, 7, 500)
    ]
    assert len({diff.id for diff in found}) == 3
    assert len({diff.digest for diff in found}) == 1
    assert len({diff.flows for diff in found}) == 1


async def test_another_process_goes_on_where_one_was_killed(classifier: Classifier) -> None:
    await classifier.feed(*people(7, customers=30, touchpoints=200))
    whole = await carry_out(classifier)
    asked = await ask(classifier)
    for _ in range(4):
        await Diffs(classifier.engine, lambda: classifier.now, most=5).step()
    on_its_way = await look(classifier, asked)
    assert 0 < on_its_way.customers_done < whole.customers_done
    while await classifier.diffs.step():
        pass
    assert (await look(classifier, asked)).digest == whole.digest


async def test_what_was_received_before_it_was_asked_for_is_waited_for(
    classifier: Classifier,
) -> None:
    await classifier.feed(Sent("o-1", ("user_id:ana",), type=ORDER))
    await classifier.read_to_end()
    classifier.now += SECOND
    asked = await ask(classifier, all_read=False)
    assert await classifier.diffs.step() is False
    await classifier.feed(Sent("o-2", ("user_id:bob",), type=ORDER))
    await classifier.read_to_end()
    while await classifier.diffs.step():
        pass
    diff = await look(classifier, asked)
    assert (diff.customers_done, diff.as_of) == (2, classifier.now)


async def test_what_takes_too_long_to_be_read_is_not_waited_for(classifier: Classifier) -> None:
    await classifier.feed(Sent("o-1", ("user_id:ana",), type=ORDER))
    await classifier.read_to_end()
    read_through = classifier.now
    classifier.now += SECOND
    asked = await ask(classifier, all_read=False)
    assert await classifier.diffs.step() is False
    classifier.now += LONGEST_WAIT
    while await classifier.diffs.step():
        pass
    diff = await look(classifier, asked)
    assert (diff.as_of, diff.read_through) == (read_through, read_through)


async def test_one_long_history_is_folded_piece_by_piece(classifier: Classifier) -> None:
    sent = [
        Sent(f"e{n}", ("user_id:ana",), at=START + n * MINUTE, type=ORDER) for n in range(2_500)
    ]
    await classifier.feed(*sent, Sent("v", ("user_id:bob",)))
    diff = await carry_out(classifier, as_of=START + 30 * DAY)
    assert diff.customers_done == 2
    counted = {(flow.before, flow.after): flow.customers for flow in diff.flows}
    assert counted == await expected(classifier, START + 30 * DAY)


async def test_another_process_takes_no_step_at_the_same_time(classifier: Classifier) -> None:
    await ask(classifier)
    async with transaction(classifier.engine) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(x'64696666'::bigint)")
        assert await classifier.diffs.step() is False
    assert await classifier.diffs.step() is True


async def test_a_customer_who_is_erased_while_being_compared_is_left_out(
    classifier: Classifier,
) -> None:
    await classifier.feed(
        Sent("o-1", ("user_id:ana",), type=ORDER), Sent("o-2", ("user_id:bob",), type=ORDER)
    )
    asked = await ask(classifier, as_of=START + 20 * DAY)
    await classifier.diffs.step()
    async with transaction(classifier.engine) as erasure:
        await erasure.execute("SELECT FROM identifiers WHERE value = 'ana' FOR UPDATE")
        step = asyncio.create_task(classifier.diffs.step())

        async def waits() -> bool:
            return len(await classifier.rows(WAITING)) > 0

        await eventually(waits)
        for table in ("touchpoints", "identifiers"):
            column = "identifier_id" if table == "touchpoints" else "id"
            await erasure.execute(
                f"DELETE FROM {table} WHERE {column} IN"  # noqa: S608 - names of our own
                " (SELECT id FROM identifiers WHERE value = 'ana')"
            )
    assert await step
    diff = await look(classifier, asked)
    assert [(flow.customers, flow.differ) for flow in diff.flows] == [(1, 1)]
    await check_drill(classifier, diff)


async def test_under_load_every_customer_it_counts_is_listed_and_the_next_one_is_exact(
    classifier: Classifier,
) -> None:
    """Batches, a rollout and diffs at once, as in a running classifier."""
    sent = people(12, customers=120, touchpoints=2_000)
    await classifier.feed(*sent[:800])
    stopping = asyncio.Event()
    rollouts = Rollouts(classifier.engine, lambda: classifier.now, most=3)
    diffs = Diffs(classifier.engine, lambda: classifier.now, most=5)
    asked = await ask(classifier)

    async def feed(mine: list[Sent]) -> None:
        for start in range(0, len(mine), 40):
            await classifier.feed(*mine[start : start + 40])
            await classifier.read_to_end()

    async def done() -> bool:
        rows = await classifier.rows("SELECT phase FROM rollouts UNION ALL SELECT phase FROM diffs")
        return {row["phase"] for row in rows} == {"done"}

    async with asyncio.TaskGroup() as group:
        group.create_task(rollouts.run(stopping))
        group.create_task(diffs.run(stopping))
        async with classifier.engine.begin() as connection:
            await store_model(connection, OTHER, now=classifier.now)
            await request_activation(connection, OTHER.version, now=classifier.now)
        await feed(sent[800:])
        await eventually(done)
        stopping.set()
    await check_drill(classifier, await look(classifier, asked))
    diff = await carry_out(classifier, as_of=START + 150 * DAY)
    counted = {(flow.before, flow.after): flow.customers for flow in diff.flows}
    assert counted == await expected(classifier, START + 150 * DAY)
    assert [one for one in await findings(classifier) if isinstance(one, Difference)] == []
