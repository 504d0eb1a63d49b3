"""What verification finds, and what it does not find."""

import random

from services.classifier.transactions import transaction
from shared.identity.policy_documents import default_policy
from shared.instants import DAY, HOUR
from shared.storage.verification import Difference, Finding, Result, verify
from tests.fixtures.classification import START, Classifier, Sent

TYPES = ("page_viewed", "product_viewed", "order_completed", "order_refunded", "review_posted")


async def findings(classifier: Classifier) -> list[Finding]:
    async with classifier.engine.connect() as connection:
        raw = await connection.get_raw_connection()
        driver = raw.driver_connection
        assert driver is not None
        return [finding async for finding in verify(driver, default_policy())]


def history(seed: int, customers: int = 12, touchpoints: int = 300) -> list[Sent]:
    """Return a shuffled history of people who share phones and log in now and then."""
    chance = random.Random(seed)
    sent = []
    for number in range(touchpoints):
        person = chance.randrange(customers)
        carried = {f"anonymous_id:a{person}-{chance.randrange(2)}"}
        if chance.random() < 0.4:
            carried.add(f"user_id:u{person}")
        if chance.random() < 0.2:
            carried.add(f"phone:+4930{person // 3}")
        order = sorted(carried, key=lambda text: (not text.startswith("user_id"), text[0] != "p"))
        sent.append(
            Sent(
                f"e{number}",
                tuple(order),
                at=START + chance.randrange(200 * DAY // HOUR) * HOUR,
                type=chance.choice(TYPES),
                properties={"order_id": f"o{chance.randrange(40)}", "rating": 5},
                traits={"plan": chance.choice(["free", "pro"])} if chance.random() < 0.1 else {},
            )
        )
    return sent


async def test_any_order_batching_and_repetition_verifies(classifier: Classifier) -> None:
    sent = history(1)
    chance = random.Random(2)
    arriving = [*sent, *chance.sample(sent, 60)]
    chance.shuffle(arriving)
    while arriving:
        size = chance.randrange(1, 60)
        await classifier.feed(*arriving[:size], partition=chance.randrange(2))
        del arriving[:size]
        if chance.random() < 0.3:
            for partition in (0, 1):
                await classifier.read_to_end(partition)
            await classifier.timers.publish_due()
    found = await findings(classifier)
    assert [finding for finding in found if isinstance(finding, Difference)] == []
    result = found[-1]
    assert isinstance(result, Result)
    assert result.touchpoints == len(sent)


async def test_late_data_in_long_histories_goes_on_from_snapshots(classifier: Classifier) -> None:
    sent = sorted(history(3, customers=2, touchpoints=1_500), key=lambda one: one.at)
    late = sent[20::150]
    on_time = [one for one in sent if one not in late]
    for start in range(0, len(on_time), 100):
        await classifier.feed(*on_time[start : start + 100])
    [kept] = await classifier.rows("SELECT count(*) AS n FROM snapshots")
    assert int(str(kept["n"])) > 2
    for one in late:
        await classifier.feed(one)
        found = await findings(classifier)
        assert [finding for finding in found if isinstance(finding, Difference)] == []


async def test_a_journey_that_was_tampered_with_is_found(classifier: Classifier) -> None:
    await classifier.feed(Sent("o-1", ("user_id:ana",), type="order_completed"))
    await classifier.execute("UPDATE transitions SET to_key = 'advocacy' WHERE axis = 'stage'")
    found = await findings(classifier)
    assert any("lacks stage None -> onboarding" in str(finding) for finding in found)
    assert any("has wrongly stage None -> advocacy" in str(finding) for finding in found)


async def test_a_touchpoint_that_was_removed_behind_its_back_is_found(
    classifier: Classifier,
) -> None:
    await classifier.feed(
        Sent("o-1", ("user_id:ana",), type="order_completed"), Sent("v-1", ("user_id:ana",))
    )
    async with transaction(classifier.engine) as connection:
        await connection.execute("DELETE FROM touchpoints WHERE event_id = 'o-1'")
    found = await findings(classifier)
    assert any("not the sum" in str(finding) for finding in found)


async def test_an_identifier_that_strayed_is_found(classifier: Classifier) -> None:
    await classifier.feed(Sent("i", ("user_id:ana", "anonymous_id:a1")))
    await classifier.execute("UPDATE identifiers SET customer_id = own_id")
    found = await findings(classifier)
    assert any("anonymous_id:a1 belongs to customer" in str(finding) for finding in found)
