"""What verification finds, and what it does not find."""

import random

import pytest

from shared.instants import HOUR
from shared.storage import stored_histories
from shared.storage.verification import Difference, Result
from shared.upkeep.transactions import transaction
from tests.fixtures.classification import START, Classifier, Sent
from tests.fixtures.histories import findings, people


async def test_any_order_batching_and_repetition_verifies(classifier: Classifier) -> None:
    sent = people(1)
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
    sent = sorted(people(3, customers=2, touchpoints=1_500), key=lambda one: one.at)
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


async def test_histories_that_take_many_steps_to_read_are_folded_whole(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_histories, "ROWS_AT_ONCE", 7)
    sent = people(3)
    random.Random(3).shuffle(sent)
    for start in range(0, len(sent), 40):
        await classifier.feed(*sent[start : start + 40])
    *differences, result = await findings(classifier)
    assert [one for one in differences if isinstance(one, Difference)] == []
    assert isinstance(result, Result)
    assert result.touchpoints == len(sent)


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


async def test_a_link_that_was_judged_otherwise_is_found(classifier: Classifier) -> None:
    await classifier.feed(
        Sent("1", ("user_id:ana", "phone:+4930")),
        Sent("2", ("user_id:ben", "phone:+4930"), at=START + HOUR),
    )
    await classifier.execute("UPDATE links SET refused = NOT refused")
    found = await findings(classifier)
    assert any("phone:+4930 and user_id:ben is refused" in str(finding) for finding in found)
    assert any("phone:+4930 and user_id:ana is not refused" in str(finding) for finding in found)


async def test_a_link_without_its_touchpoint_is_found(classifier: Classifier) -> None:
    await classifier.feed(Sent("1", ("user_id:ana", "phone:+4930")), Sent("2", ("user_id:ana",)))
    await classifier.execute("DELETE FROM touchpoints WHERE event_id = '1'")
    found = await findings(classifier)
    assert any("follows from no touchpoint" in str(finding) for finding in found)


async def test_a_referral_that_was_tampered_with_is_found(classifier: Classifier) -> None:
    await classifier.feed(Sent("1", ("user_id:b",), properties={"referred_by": "user_id:a"}))
    await classifier.execute("UPDATE referrals SET referrer_value = 'c'")
    assert any("referrals" in str(finding) for finding in await findings(classifier))


async def test_what_is_left_of_a_customer_that_is_gone_is_found(classifier: Classifier) -> None:
    await classifier.feed(Sent("1", ("user_id:ana", "anonymous_id:a")))
    await classifier.execute("UPDATE customers SET id = gen_random_uuid()")
    found = await findings(classifier)
    assert any("a customer with no identifier" in str(finding) for finding in found)


async def test_a_customer_whose_size_is_kept_wrongly_is_found(classifier: Classifier) -> None:
    await classifier.feed(Sent("1", ("user_id:ana", "anonymous_id:a")))
    await classifier.execute("UPDATE components SET counts = '{}'")
    assert any("not what they are" in str(finding) for finding in await findings(classifier))
