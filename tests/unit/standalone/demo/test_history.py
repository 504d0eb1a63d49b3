"""The demo history: made up, but like a real one in everything that the product has to stand."""

from collections import Counter
from uuid import UUID

import msgspec
import pytest

from services.standalone.demo.history import MOST_IN_A_BATCH, Batch, demo_history
from services.standalone.demo.people import MOST_PEOPLE, person
from shared.acceptance.bodies import split
from shared.acceptance.requests import judge_all
from shared.acceptance.terms import Terms
from shared.demo import CHANNELS, PREFIX, STORE, WEB
from shared.identity.policy_documents import default_policy
from shared.instants import DAY, HOUR, parse_rfc3339
from shared.records import TouchpointRecord
from shared.sources import Source, SourceSettings
from shared.touchpoints import JsonObject

ENDS_AT = parse_rfc3339("2026-06-15T13:30:00Z")
FEW = 300


@pytest.fixture(scope="module")
def batches() -> list[Batch]:
    return list(demo_history(ends_at=ENDS_AT, people=FEW))


def occurred_at(item: JsonObject) -> int:
    return parse_rfc3339(str(item["occurred_at"]))


def test_the_same_seed_and_end_give_the_same_history(batches: list[Batch]) -> None:
    assert list(demo_history(ends_at=ENDS_AT, people=FEW)) == batches
    assert list(demo_history(ends_at=ENDS_AT, people=FEW, seed=1)) != batches


def test_a_history_that_ends_a_day_later_is_the_same_a_day_later(batches: list[Batch]) -> None:
    later = list(demo_history(ends_at=ENDS_AT + DAY, people=FEW))
    assert [len(batch.items) for batch in later] == [len(batch.items) for batch in batches]
    assert {
        occurred_at(after) - occurred_at(before)
        for one, other in zip(batches, later, strict=True)
        for before, after in zip(one.items, other.items, strict=True)
    } == {DAY}


def test_nothing_happens_after_the_end_and_the_last_day_is_there(batches: list[Batch]) -> None:
    times = [occurred_at(item) for batch in batches for item in batch.items]
    assert ENDS_AT - DAY < max(times) <= ENDS_AT
    assert min(times) >= ENDS_AT - 271 * DAY


def test_a_life_does_not_depend_on_how_many_others_there_are(batches: list[Batch]) -> None:
    fewer = {
        (batch.source, item["event_id"]): item
        for batch in demo_history(ends_at=ENDS_AT, people=50)
        for item in batch.items
    }
    more = {(b.source, item["event_id"]): item for b in batches for item in b.items}
    assert fewer.items() <= more.items()


def test_ingest_accepts_every_item_without_a_remark(batches: list[Batch]) -> None:
    for batch in batches:
        settings = SourceSettings(historical=True)
        terms = Terms(
            Source(batch.source, CHANNELS[batch.source], settings),
            default_policy(),
            ENDS_AT,
            lambda: UUID(int=0),
        )
        for record in judge_all(split(msgspec.json.encode(batch.items)), terms):
            assert isinstance(record, TouchpointRecord)
            assert record.data.flags == ()


def test_everything_is_recognisably_synthetic(batches: list[Batch]) -> None:
    for batch in batches:
        assert batch.source.startswith(PREFIX)
        for item in batch.items:
            assert str(item["event_id"]).startswith("demo-")
            customer = item["customer"]
            assert isinstance(customer, dict)
            for kind, value in customer.items():
                match kind:
                    case "email":
                        assert value.endswith("@demo.example")
                    case "phone":
                        assert value[:-3] in {
                            *("+493023125", "+494066969", "+496990009", "+492214710"),
                            "+498999998",
                        }
                    case _:
                        assert value.startswith("demo-")


def test_batches_fit_into_requests_and_name_all_four_sources(batches: list[Batch]) -> None:
    assert {batch.source for batch in batches} == set(CHANNELS)
    assert all(1 <= len(batch.items) <= MOST_IN_A_BATCH for batch in batches)


def test_sales_of_a_store_come_the_day_after(batches: list[Batch]) -> None:
    late = 0
    sent_until = sold_until = 0
    for batch in batches:
        until = max(map(occurred_at, batch.items))
        if batch.source == STORE:
            late += until < sent_until
            sold_until = until
        else:
            assert until // DAY > sold_until // DAY
            sent_until = until
    assert late > 50
    assert sold_until < ENDS_AT // DAY * DAY


def test_some_touchpoints_come_twice_and_a_few_of_them_changed(batches: list[Batch]) -> None:
    first: dict[tuple[str, object], JsonObject] = {}
    again: Counter[str] = Counter()
    changed = 0
    for batch in batches:
        for item in batch.items:
            identity = (batch.source, item["event_id"])
            if identity in first:
                again[batch.source] += 1
                changed += item != first[identity]
            first.setdefault(identity, item)
    assert again[WEB] > 10
    assert again[STORE] > 5
    assert 1 <= changed <= 5


def test_people_are_told_apart_and_few_share_a_phone() -> None:
    people = [person(number) for number in range(MOST_PEOPLE)]
    assert len({who.email for who in people}) == len(people)
    assert len({who.user_id for who in people}) == len(people)
    shared = [phone for phone, n in Counter(who.phone for who in people).items() if n > 1]
    assert 0 < len(shared) < len(people) / 20
    assert all(len(who.phone) == len(people[0].phone) for who in people)


def test_an_end_in_the_small_hours_works_as_well() -> None:
    ends_at = ENDS_AT // DAY * DAY + HOUR
    times = [
        occurred_at(item)
        for batch in demo_history(ends_at=ends_at, people=50)
        for item in batch.items
    ]
    assert max(times) <= ends_at
