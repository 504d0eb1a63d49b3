"""Two classifiers that meet at the same customers come to what one alone comes to."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import TypeAlias
from uuid import UUID

import asyncpg
import pytest

from shared.identity.policy_documents import default_policy
from shared.storage.verification import Difference
from shared.upkeep.active_models import ActiveModels
from shared.upkeep.acts import Done, Hand, relink_pair, unlink_pair
from shared.upkeep.transactions import transaction
from tests.fixtures.classification import Classifier, Sent
from tests.fixtures.crowds import batches, crowd, expected_customers, persistently
from tests.fixtures.histories import findings
from tests.fixtures.interleaving import interleaved, taking_turns

Act: TypeAlias = Callable[[asyncpg.Connection, ActiveModels, UUID, Hand], Awaitable[Done]]


async def all_right(classifier: Classifier) -> bool:
    found = await findings(classifier)
    return not [finding for finding in found if isinstance(finding, Difference)]


async def customers(classifier: Classifier) -> set[frozenset[str]]:
    return {frozenset(members) for members in (await classifier.customers()).values()}


async def feed(classifier: Classifier, sent: list[Sent], partition: int, chance: Random) -> None:
    for batch in batches(sent, chance):
        await persistently(partial(classifier.feed, *batch, partition=partition))


async def act(classifier: Classifier, chance: Random) -> None:
    """Unlink and relink what there is, at moments that chance chooses."""
    for number in range(12):
        rows = await classifier.rows("SELECT id FROM links ORDER BY effective_at, event_id, id")
        if rows:
            link_id = UUID(str(chance.choice(rows)["id"]))
            change = unlink_pair if chance.random() < 0.6 else relink_pair
            hand = Hand("key:test", f"act {number}")
            await persistently(partial(by_hand, classifier, change, link_id, hand))


async def by_hand(classifier: Classifier, change: Act, link_id: UUID, hand: Hand) -> None:
    async with transaction(classifier.engine) as connection:
        await change(connection, ActiveModels(), link_id, hand)


@pytest.mark.parametrize("seed", range(6))
async def test_any_interleaving_of_two_partitions_gives_the_same_customers(
    classifier: Classifier, database_url: str, seed: int
) -> None:
    sent = crowd(seed)
    async with taking_turns(database_url) as engine:
        both = [Classifier(engine), Classifier(engine)]
        work = [
            partial(feed, one, sent[part::2], part, Random(seed + part))
            for part, one in enumerate(both)
        ]
        await interleaved(database_url, seed, work)
    assert await customers(classifier) == expected_customers(sent, default_policy())
    assert await all_right(classifier)


@pytest.mark.parametrize("seed", range(4))
async def test_acts_by_hand_among_batches_leave_nothing_wrong(
    classifier: Classifier, database_url: str, seed: int
) -> None:
    before, sent = crowd(seed)[:10], crowd(seed)[10:45]
    await classifier.feed(*before, partition=2)
    async with taking_turns(database_url) as engine:
        both = [Classifier(engine), Classifier(engine)]
        work = [
            partial(feed, one, sent[part::2], part, Random(seed + part))
            for part, one in enumerate(both)
        ]
        by_hand_too = partial(act, Classifier(engine), Random(seed))
        await interleaved(database_url, seed, [*work, by_hand_too])
    assert await all_right(classifier)
    [count] = await classifier.rows("SELECT count(*) AS n FROM audit")
    assert int(str(count["n"])) > 0


@pytest.mark.parametrize("seed", range(2))
async def test_two_processes_on_one_database_give_the_same_customers(
    classifier: Classifier, database_url: str, seed: int
) -> None:
    module = "tests.integration.classifier.linking_child"
    children = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, database_url, str(partition), str(seed)
        )
        for partition in (0, 1)
    ]
    assert [await child.wait() for child in children] == [0, 0]
    assert await customers(classifier) == expected_customers(crowd(seed), default_policy())
    assert await all_right(classifier)
