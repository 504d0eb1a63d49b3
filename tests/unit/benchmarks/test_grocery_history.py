"""The tables of a grocery chain become touchpoints that ingest takes and the model understands."""

from collections import Counter
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest

from benchmarks.grocery_history import (
    DATA,
    Basket,
    Campaign,
    Mailing,
    Redemption,
    Tables,
    badly_delivered,
    history,
    read_tables,
    write,
)
from shared.acceptance.bodies import split
from shared.acceptance.requests import judge_all
from shared.acceptance.terms import Terms
from shared.identity.policy_documents import default_policy
from shared.instants import parse_rfc3339
from shared.journey.bundled import bundled_model
from shared.journey.fold import fold
from shared.journey.loading import read_model
from shared.journey.program import compile_model
from shared.records import TouchpointRecord
from shared.sources import Source
from shared.touchpoints import Channel, JsonObject, Touchpoint

ROOT = Path(__file__).parents[3]
CUT = ROOT / "tests" / "data" / "grocery"


def basket(number: int, ts: str, *, store: int = 1, household: int = 7) -> Basket:
    at = datetime.fromisoformat(ts)
    return Basket(household, number, at, store, 2, 3, 9.99, 0.5, 0.25)


def tables(*baskets: Basket) -> Tables:
    started, ended = datetime.fromisoformat("2017-03-01"), datetime.fromisoformat("2017-03-31")
    return Tables(
        baskets=baskets,
        campaigns=[Campaign(5, "Type B", started, ended)],
        mailings=[Mailing(5, 8), Mailing(5, 7)],
        redemptions=[
            Redemption(7, 111, 5, datetime.fromisoformat("2017-03-02")),
            Redemption(7, 111, 5, datetime.fromisoformat("2017-03-02")),
            Redemption(8, 222, 5, datetime.fromisoformat("2017-03-03")),
        ],
    )


BASKETS = (
    basket(1, "2017-03-02T18:00:00"),
    basket(2, "2017-03-02T09:00:00", store=2),
    basket(3, "2017-03-02T08:00:00"),
    basket(4, "2017-02-28T23:59:59", store=9),
)


def test_each_day_is_delivered_in_one_piece_store_after_store() -> None:
    assert [item["event_id"] for item in history(tables(*BASKETS))] == [
        "basket-4",
        "leaflet-5-7",
        "leaflet-5-8",
        "basket-3",
        "basket-1",
        "basket-2",
        "coupon-5-111-7-2017-03-02-0",
        "coupon-5-111-7-2017-03-02-1",
        "coupon-5-222-8-2017-03-03-0",
    ]


def test_the_order_of_the_tables_does_not_matter() -> None:
    assert list(history(tables(*reversed(BASKETS)))) == list(history(tables(*BASKETS)))


def test_a_receipt_becomes_a_store_sale() -> None:
    [sale] = [item for item in history(tables(BASKETS[0])) if item["type"] == "store_sale"]
    assert sale == {
        "event_id": "basket-1",
        "type": "store_sale",
        "channel": "in_store",
        "occurred_at": "2017-03-02T18:00:00Z",
        "customer": {"loyalty_id": "household-7"},
        "properties": {
            "order_id": "1",
            "value": 9.99,
            "currency": "USD",
            "items": 3,
            "lines": 2,
            "discount": 0.5,
            "coupon_discount": 0.25,
            "store": "1",
        },
    }


def test_a_coupon_is_handed_in_with_the_last_receipt_of_its_day_or_at_noon() -> None:
    times = {
        str(item["event_id"])[:12]: item["occurred_at"]
        for item in history(tables(*BASKETS))
        if item["type"] == "coupon_redeemed"
    }
    assert times == {
        "coupon-5-111": "2017-03-02T18:00:01Z",
        "coupon-5-222": "2017-03-03T12:00:01Z",
    }


def test_fewer_households_are_those_with_the_smallest_numbers() -> None:
    few = tables(*BASKETS).first_households(1)
    assert {row.household_id for row in few.baskets} == {7}
    assert few.mailings == [Mailing(5, 7)]
    assert {row.household_id for row in few.redemptions} == {7}


def test_a_bad_delivery_holds_every_line_and_the_first_of_each_is_the_right_one() -> None:
    items = list(history(read_tables(CUT)))
    delivered = badly_delivered(items, seed=1)
    first: dict[object, JsonObject] = {}
    for item in delivered:
        first.setdefault(item["event_id"], item)
    assert {*first} == {item["event_id"] for item in items}
    assert all(first[item["event_id"]] == item for item in items)
    assert 40 < len(delivered) - len(items) < 120
    assert 5 < sum(item["properties"] == {"altered": True} for item in delivered) < 40
    late = [one for before, one in pairwise(delivered) if time_of(one) < time_of(before)]
    assert len(late) > 100
    assert badly_delivered(items, seed=1) == delivered != badly_delivered(items, seed=2)


def time_of(item: JsonObject) -> str:
    return str(item["occurred_at"])


def test_the_cut_in_this_repository_is_written_read_and_accepted(tmp_path: Path) -> None:
    path = tmp_path / "grocery.ndjson"
    counts = write(history(read_tables(CUT)), path)
    assert counts == {"store_sale": 1_473, "ad_impression": 71, "coupon_redeemed": 37}
    lines = path.read_bytes().splitlines()
    terms = Terms(
        Source("grocery", Channel.IN_STORE),
        default_policy(),
        parse_rfc3339("2018-01-02T00:00:00Z"),
        lambda: UUID(int=0),
    )
    for start in range(0, len(lines), 1_000):
        for record in judge_all(split(b"\n".join(lines[start : start + 1_000])), terms):
            assert isinstance(record, TouchpointRecord)
            assert record.data.flags == ()


def test_households_that_shop_again_are_retained_and_leaflets_wake_nobody() -> None:
    histories: dict[object, list[Touchpoint]] = {}
    for item in history(read_tables(CUT)):
        customer = members(item["customer"])
        histories.setdefault(customer["loyalty_id"], []).append(touchpoint_of(item))
    program = compile_model(read_model(bundled_model("default")))
    end = parse_rfc3339("2018-01-01T00:00:00Z")
    stages: Counter[str] = Counter()
    for touchpoints in histories.values():
        journey = fold(program, touchpoints, end)
        bought = [one.at for one in touchpoints if one.type != "ad_impression" and one.at <= end]
        assert journey.activity is not None
        assert journey.activity.last_active_at == max(bought)
        assert journey.stage is not None
        stages[journey.stage.key] += 1
    assert stages == {"retention": 20}


def touchpoint_of(item: JsonObject) -> Touchpoint:
    return Touchpoint(
        source="grocery",
        event_id=str(item["event_id"]),
        at=parse_rfc3339(str(item["occurred_at"])),
        channel=str(item["channel"]),
        type=str(item["type"]),
        properties=members(item["properties"]),
        context={},
        traits={},
    )


def members(value: object) -> JsonObject:
    assert isinstance(value, dict)
    return value


def test_the_whole_data_set_has_as_many_touchpoints_as_rows() -> None:
    folder = ROOT / DATA
    if not folder.exists():
        pytest.skip(f"The Complete Journey is not at {folder}")
    whole = read_tables(folder)
    seen: set[object] = set()
    counts: Counter[object] = Counter()
    for item in history(whole):
        seen.add(item["event_id"])
        counts[item["type"]] += 1
    assert counts == {"store_sale": 155_848, "ad_impression": 6_589, "coupon_redeemed": 2_102}
    assert len(seen) == counts.total()
