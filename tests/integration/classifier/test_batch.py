"""What one batch leaves in the database."""

from dataclasses import replace
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from services.classifier.batch import MOST_AT_ONCE, BatchRefused
from services.classifier.timers import Timers
from shared.errors import OwnershipLost
from shared.instants import DAY, HOUR, datetime_of, rfc3339
from shared.storage.verification import Result
from tests.fixtures.classification import START, Classifier, Garbage, Refused, Sent
from tests.fixtures.histories import findings

ORDER = "order_completed"


def order(event_id: str, *identifiers: str, at: int = START) -> Sent:
    return Sent(event_id, identifiers, at=at, type=ORDER, properties={"order_id": event_id})


async def balance(classifier: Classifier) -> dict[str, object]:
    row = await classifier.ledger()
    return {name: row[name] for name in ("next_offset", "stored", "duplicate", "quarantined")}


async def test_a_touchpoint_is_stored_once_however_often_it_comes(classifier: Classifier) -> None:
    seen = order("o-1", "user_id:ana")
    await classifier.feed(seen, seen)
    await classifier.feed(seen)
    assert await classifier.rows("SELECT source, event_id FROM touchpoints") == [
        {"source": "web", "event_id": "o-1"}
    ]
    expected = {"next_offset": 3, "stored": 1, "duplicate": 2, "quarantined": 0}
    assert await balance(classifier) == expected
    [counted] = await classifier.rows("SELECT seen, conflicts FROM duplicates")
    assert counted == {"seen": 2, "conflicts": 0}


async def test_a_repeated_identity_with_other_content_is_kept_as_a_conflict(
    classifier: Classifier,
) -> None:
    await classifier.feed(order("o-1", "user_id:ana"))
    await classifier.feed(Sent("o-1", ("user_id:bob",), type="store_sale"))
    [counted] = await classifier.rows("SELECT seen, conflicts, last_conflict FROM duplicates")
    assert (counted["seen"], counted["conflicts"]) == (1, 1)
    assert "store_sale" in str(counted["last_conflict"])
    assert list((await classifier.customers()).values()) == [{"user_id:ana"}]


async def test_the_same_event_id_of_another_source_is_another_touchpoint(
    classifier: Classifier,
) -> None:
    one = order("o-1", "user_id:ana")
    other = Sent("o-1", ("user_id:ana",), source="till", type=ORDER)
    await classifier.feed(one, other)
    assert (await balance(classifier))["stored"] == 2


async def test_a_backlog_is_taken_in_several_transactions_and_accounted_for_exactly(
    classifier: Classifier,
) -> None:
    late = [order(f"o-{number}", "user_id:ana", at=START - number) for number in range(3)]
    many = [
        Sent(f"v-{number}", (f"user_id:u-{number % 150}",), at=START + number)
        for number in range(MOST_AT_ONCE)
    ]
    await classifier.feed(many[0], *many, *late, skip=2)
    row = await classifier.ledger()
    assert (row["next_offset"], row["gaps"]) == (MOST_AT_ONCE + 6, 2)
    assert (row["stored"], row["duplicate"]) == (MOST_AT_ONCE + 3, 1)
    times = await classifier.rows("SELECT DISTINCT recorded_at FROM touchpoints")
    assert len(times) == 2
    *_, result = await findings(classifier)
    assert result == Result(customers=151, touchpoints=MOST_AT_ONCE + 3, differences=0)


async def test_refused_items_and_gaps_are_accounted_for(classifier: Classifier) -> None:
    quarantine_id = uuid4()
    await classifier.feed(order("o-1", "user_id:ana"), skip=2)
    await classifier.feed(Refused(quarantine_id), Garbage(b"\xff not json"), skip=3)
    row = await classifier.ledger()
    assert (row["next_offset"], row["stored"], row["quarantined"], row["gaps"]) == (8, 1, 2, 5)
    rows = await classifier.rows("SELECT id, reason FROM quarantine ORDER BY log_offset")
    assert rows[0] == {"id": quarantine_id, "reason": "missing_type"}
    assert rows[1]["reason"] == "bad_record"


async def test_a_source_s_counts_add_up(classifier: Classifier) -> None:
    seen = order("o-1", "user_id:ana")
    await classifier.feed(seen, seen, Refused(uuid4()))
    [row] = await classifier.rows(
        "SELECT accepted, rejected, stored, duplicate, quarantined FROM source_counts"
    )
    assert list(row.values()) == [2, 1, 1, 1, 1]


async def test_a_poisonous_record_goes_to_the_quarantine_alone(classifier: Classifier) -> None:
    poison = Sent("bad\0id", ("user_id:eve",))  # PostgreSQL's text cannot hold NUL
    await classifier.feed(order("o-1", "user_id:ana"), poison, order("o-2", "user_id:bob"))
    expected = {"next_offset": 3, "stored": 2, "duplicate": 0, "quarantined": 1}
    assert await balance(classifier) == expected
    [row] = await classifier.rows("SELECT reason, log_offset FROM quarantine")
    assert row == {"reason": "poison", "log_offset": 1}


async def test_too_much_poison_stops_the_partition_and_writes_nothing(
    classifier: Classifier,
) -> None:
    await classifier.feed(order("o-1", "user_id:ana"))
    poison = [Sent(f"bad\0{number}", ("user_id:eve",)) for number in range(101)]
    with pytest.raises(BatchRefused, match="101 of 101"):
        await classifier.feed(*poison)
    assert await balance(classifier) == {
        "next_offset": 1,
        "stored": 1,
        "duplicate": 0,
        "quarantined": 0,
    }


async def test_a_former_owner_cannot_write(classifier: Classifier) -> None:
    zombie = Classifier(classifier.engine)
    await zombie.feed(order("o-1", "user_id:ana"))
    await classifier.take_anew()
    with pytest.raises(OwnershipLost):
        await zombie.feed(order("o-2", "user_id:ana"))
    assert (await balance(classifier))["stored"] == 1


async def test_the_database_refuses_an_unbalanced_ledger(classifier: Classifier) -> None:
    await classifier.feed(order("o-1", "user_id:ana"))
    with pytest.raises(asyncpg.CheckViolationError):
        await classifier.execute("UPDATE claims SET stored = stored + 1")


async def test_a_touchpoint_moves_the_journey(classifier: Classifier) -> None:
    await classifier.feed(order("o-1", "user_id:ana"))
    [moves] = (await classifier.stages()).values()
    assert moves == [(None, "onboarding")]
    told = await classifier.outbox()
    assert [kind for kind, _ in told] == ["journey.transition"] * 2
    assert {data["axis"] for _, data in told} == {"stage", "activity"}


async def test_a_late_touchpoint_takes_back_what_it_disproves(classifier: Classifier) -> None:
    first = Sent("v-1", ("user_id:ana",), type="page_viewed", at=START)
    await classifier.feed(first)
    await classifier.feed(order("o-0", "user_id:ana", at=START - HOUR))
    [moves] = (await classifier.stages()).values()
    assert moves == [(None, "onboarding")]
    kinds = [kind for kind, data in await classifier.outbox() if data["axis"] == "stage"]
    assert kinds == [
        "journey.transition",
        "journey.transition_retracted",
        "journey.transition",
    ]
    [gone] = await classifier.rows(
        "SELECT to_key FROM transitions WHERE superseded_at IS NOT NULL AND axis = 'stage'"
    )
    assert gone == {"to_key": "awareness"}


async def test_a_login_joins_the_anonymous_history_without_telling_it_again(
    classifier: Classifier,
) -> None:
    await classifier.feed(Sent("v-1", ("anonymous_id:a1",)))
    told_before = len(await classifier.outbox())
    await classifier.feed(
        Sent("i-1", ("user_id:ana", "anonymous_id:a1"), type="identify", at=START + HOUR)
    )
    customers = await classifier.customers()
    assert list(customers.values()) == [{"user_id:ana", "anonymous_id:a1"}]
    kinds = [kind for kind, _ in (await classifier.outbox())[told_before:]]
    assert kinds == ["customer.merged"] * 2  # under both keys
    [customer_id] = customers
    rows = await classifier.rows("SELECT DISTINCT customer_id FROM transitions")
    assert rows == [{"customer_id": customer_id}]


async def test_two_people_never_share_a_unique_identifier(classifier: Classifier) -> None:
    await classifier.feed(
        Sent("a", ("user_id:ana", "phone:+49301")),
        Sent("b", ("user_id:bob", "phone:+49301"), at=START + HOUR),
    )
    customers = list((await classifier.customers()).values())
    assert {"user_id:bob"} in customers
    assert {"user_id:ana", "phone:+49301"} in customers
    [refused] = await classifier.rows("SELECT count(*) AS n FROM links WHERE refused")
    assert refused == {"n": 1}


async def test_a_late_link_decides_who_has_the_phone(classifier: Classifier) -> None:
    await classifier.feed(Sent("b", ("user_id:bob", "phone:+49301"), at=START + HOUR))
    await classifier.feed(Sent("a", ("user_id:ana", "phone:+49301"), at=START))
    assert {"user_id:ana", "phone:+49301"} in list((await classifier.customers()).values())


async def test_links_of_a_source_that_may_not_link_are_not_made(classifier: Classifier) -> None:
    await classifier.feed(Sent("a", ("user_id:ana", "email:x@example.com"), links=False))
    assert len(await classifier.customers()) == 2


async def test_the_profile_sums_up_every_touchpoint(classifier: Classifier) -> None:
    await classifier.feed(
        Sent("late", ("user_id:ana",), at=START + DAY, traits={"plan": "pro"}),
        Sent("early", ("user_id:ana",), at=START, traits={"plan": "free", "city": "Berlin"}),
    )
    [row] = await classifier.rows(
        "SELECT id, touchpoints, profile::jsonb AS profile FROM customers"
    )
    assert row["touchpoints"] == 2
    assert isinstance(row["id"], UUID)
    assert '"pro"' in str(row["profile"])


async def test_deadlines_wait_for_the_watermark(classifier: Classifier) -> None:
    await classifier.feed(order("o-1", "user_id:ana"))
    assert await classifier.timers.publish_due() == 0
    await classifier.read_to_end()
    assert await classifier.timers.publish_due() == 1
    [moves] = (await classifier.stages()).values()
    assert moves[:2] == [(None, "onboarding"), ("onboarding", "retention")]
    assert await classifier.timers.publish_due() == 0
    activity = await classifier.rows(
        "SELECT to_key FROM transitions WHERE axis = 'activity' ORDER BY at"
    )
    assert [row["to_key"] for row in activity] == ["active", "dormant", "churned"]


async def test_a_touchpoint_that_comes_after_its_deadline_was_published_takes_it_back(
    classifier: Classifier,
) -> None:
    await classifier.feed(order("o-1", "user_id:ana"))
    await classifier.read_to_end()
    await classifier.timers.publish_due()
    await classifier.feed(Sent("v-1", ("user_id:ana",), at=START + 50 * DAY))
    await classifier.timers.publish_due()
    activity = await classifier.rows(
        "SELECT to_key, at FROM transitions "
        "WHERE axis = 'activity' AND superseded_at IS NULL ORDER BY at"
    )
    assert [row["to_key"] for row in activity] == ["active", "dormant", "churned"]
    assert activity[1]["at"] == datetime_of(START + 110 * DAY)
    retracted = [kind for kind, _ in await classifier.outbox() if kind.endswith("retracted")]
    assert len(retracted) == 2


async def test_an_identifier_that_changes_hands_is_a_split_of_its_former_customer(
    classifier: Classifier,
) -> None:
    await classifier.feed(
        Sent("p", ("phone:+49301",), at=START - HOUR),
        Sent("b", ("user_id:bob", "phone:+49301"), at=START + HOUR),
        Sent("a0", ("user_id:ana",), at=START - HOUR),
    )
    before = len(await classifier.outbox())
    await classifier.feed(Sent("a", ("user_id:ana", "phone:+49301"), at=START))
    told = [(kind, data) for kind, data in (await classifier.outbox())[before:]]
    splits = [data for kind, data in told if kind == "customer.split"]
    assert len(splits) == 2
    assert splits[0] == splits[1]  # one message under both keys
    assert len(list(str(splits[0]["into"]).split(","))) == 2
    assert not [kind for kind, _ in told if kind == "customer.merged"]


async def test_deadlines_of_a_backfill_wait_until_it_leaves_the_customer_alone(
    classifier: Classifier,
) -> None:
    timers = Timers(classifier.engine, lambda: classifier.now, quiet=HOUR)
    await classifier.feed(order("o-1", "user_id:ana"))
    await classifier.read_to_end()
    assert await timers.publish_due() == 0
    await classifier.execute("UPDATE journeys SET updated_at = updated_at - interval '1 hour'")
    assert await timers.publish_due() == 1


async def told_as_past(classifier: Classifier) -> dict[str, object]:
    """Return of each move that was told whether it was told as caused by a backfill."""
    return {
        f"{'not ' if kind.endswith('retracted') else ''}{data['to']}": data["historical"]
        for kind, data in await classifier.outbox()
        if kind.startswith("journey.")
    }


async def test_what_a_backfill_causes_is_told_as_past(classifier: Classifier) -> None:
    receipt = order("o-1", "user_id:ana")
    await classifier.feed(replace(receipt, historical=True, received_at=START + 100 * DAY))
    await classifier.feed(order("o-2", "user_id:ben", at=START + 100 * DAY))
    told = await classifier.rows("SELECT data ->> 'historical' AS past FROM outbox ORDER BY id")
    assert [row["past"] for row in told] == ["true", "true", "false", "false"]
    await classifier.read_to_end()
    await classifier.timers.publish_due()
    ana = "SELECT data FROM outbox WHERE data -> 'cause' -> 'deadline' IS NOT NULL ORDER BY id"
    deadlines = [msgspec.json.decode(str(row["data"])) for row in await classifier.rows(ana)]
    passed = {one["at"]: one["historical"] for one in deadlines if one["cycle"] == 1}
    assert {past for at, past in passed.items() if at <= rfc3339(START + 100 * DAY)} == {True}
    assert {past for at, past in passed.items() if at > rfc3339(START + 100 * DAY)} == {False}


async def test_what_a_live_touchpoint_disproves_of_a_backfill_is_taken_back_as_past(
    classifier: Classifier,
) -> None:
    view = Sent("v-1", ("user_id:ana",), type="page_viewed", at=START, historical=True)
    await classifier.feed(view)
    await classifier.feed(order("o-0", "user_id:ana", at=START - HOUR))
    past = await told_as_past(classifier)
    assert past["not awareness"] is True
    assert (past["onboarding"], past["active"]) == (False, False)
