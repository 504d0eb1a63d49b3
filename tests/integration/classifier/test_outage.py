"""Three days without a classifier, then the backlog."""

import random
from collections.abc import Iterator, Sequence

import pytest

from shared.instants import DAY, HOUR, MINUTE, Instant, datetime_of
from shared.journey.fold import fold
from shared.journey.moves import transition_id
from shared.journey.program import compile_model
from shared.storage.rows import touchpoint_of
from shared.storage.verification import Difference
from tests.fixtures.classification import MODEL, START, Classifier, Sent
from tests.fixtures.histories import findings

RETRACTED = "journey.transition_retracted"
OUTAGE = 3 * DAY
DORMANT_AFTER = 60 * DAY
PARTITIONS = (0, 1)


def visits(seed: int, fell: Instant) -> list[Sent]:
    """Return what 40 people do, in the order of time, around an outage that began at *fell*.

    All of them would be dormant at some time of the outage, but every other one comes back before.
    """
    chance = random.Random(seed)
    sent = []
    for person in range(40):
        silence = chance.randrange(HOUR, OUTAGE)
        last = fell - DORMANT_AFTER + silence
        times = [last - chance.randrange(MINUTE, 80 * DAY) for _ in range(chance.randrange(4))]
        if person % 2:
            times += [fell + chance.randrange(silence) for _ in range(chance.randrange(1, 4))]
        for at in {last, *times}:
            kind = chance.choice(["page_viewed", "product_viewed", "order_completed"])
            sent.append(Sent(f"{person}-{at}", (f"user_id:u{person}",), at=at, type=kind))
    return sorted(sent, key=lambda one: one.at)


def partition_of(one: Sent) -> int:
    return sum(one.identifiers[0].encode()) % len(PARTITIONS)


def batches(sent: Sequence[Sent], chance: random.Random) -> Iterator[tuple[int, list[Sent]]]:
    """Yield batches as a backlog is read: each partition in order, one further than the other."""
    waiting = {p: [one for one in sent if partition_of(one) == p] for p in PARTITIONS}
    while any(waiting.values()):
        partition = chance.choice([p for p in PARTITIONS if waiting[p]])
        size = chance.randrange(1, 30)
        yield partition, waiting[partition][:size]
        del waiting[partition][:size]


async def live_until(classifier: Classifier, sent: Sequence[Sent], end: Instant) -> None:
    """Read everything as it comes, day by day."""
    day = START
    while day < end:
        day = min(day + DAY, end)
        classifier.now = day
        for partition in PARTITIONS:
            today = [one for one in sent if day - DAY <= one.at < day]
            if mine := [one for one in today if partition_of(one) == partition]:
                await classifier.feed(*mine, partition=partition)
            await classifier.read_to_end(partition)
        await publish_all(classifier)


async def publish_all(classifier: Classifier) -> None:
    while await classifier.timers.publish_due():
        pass


async def transitions_by_fold(classifier: Classifier) -> set[str]:
    rows = await classifier.rows(
        "SELECT i.customer_id, t.source, t.event_id, t.effective_at, t.channel, t.type, t.body"
        "  FROM touchpoints t JOIN identifiers i ON i.id = t.identifier_id"
    )
    program = compile_model(MODEL)
    return {
        transition_id(MODEL.version, str(customer), move)
        for customer in {row["customer_id"] for row in rows}
        for move in fold(
            program,
            [touchpoint_of(row) for row in rows if row["customer_id"] == customer],
            classifier.now,
        ).transitions
    }


async def published(classifier: Classifier) -> set[str]:
    rows = await classifier.rows("SELECT id FROM transitions WHERE superseded_at IS NULL")
    return {str(row["id"]) for row in rows}


@pytest.mark.parametrize("seed", range(3))
async def test_an_outage_announces_nothing_that_was_not_so_and_loses_no_deadline(
    classifier: Classifier, seed: int
) -> None:
    fell = START + 150 * DAY
    back = fell + OUTAGE
    sent = visits(seed, fell)
    await live_until(classifier, [one for one in sent if one.at < fell], fell)
    classifier.now = back
    for partition in PARTITIONS:
        await classifier.take_anew(partition)
    assert await classifier.timers.publish_due() == 0
    backlog = [one for one in sent if one.at >= fell]
    assert {partition_of(one) for one in backlog} == set(PARTITIONS)
    for partition, batch in batches(backlog, random.Random(seed)):
        await classifier.feed(*batch, partition=partition)
        await publish_all(classifier)
        classifier.now += MINUTE
    assert RETRACTED not in [kind for kind, _ in await classifier.outbox()]
    for partition in PARTITIONS:
        await classifier.read_to_end(partition)
    await publish_all(classifier)
    assert await published(classifier) == await transitions_by_fold(classifier)
    [dormant] = await classifier.rows(
        "SELECT count(*) AS n FROM transitions WHERE to_key = 'dormant' AND at >= $1",
        datetime_of(fell),
    )
    assert dormant == {"n": 20}
    assert RETRACTED not in [kind for kind, _ in await classifier.outbox()]
    assert not [found for found in await findings(classifier) if isinstance(found, Difference)]
