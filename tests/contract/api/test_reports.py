"""Reports: every number is the number of rows behind it, and every row is what happened."""

import csv
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pytest

from services.api.reports.catalogue import REPORTS
from shared.instants import DAY, SECOND, rfc3339
from shared.journey.fold import Fold, in_order
from shared.touchpoints import Touchpoint
from tests.fixtures.crowd_of_shoppers import shoppers
from tests.fixtures.served_api import NOW, Served
from tests.fixtures.told import Told

NAMES: Final = [report.name for report in REPORTS]
COUNTS: Final = ("reached", "switches", "touchpoints", "moves", "customers")
"""What a row with a drill counts: the first of these that it has."""
ODD_DRILLS: Final = {
    "first_touches_drill": "first_touches",
    "won_drill": "won",
    "of_drill": "of",
    "left_drill": "left",
}
ASKED: Final[list[dict[str, str | list[str]]]] = [
    {},
    {"from": rfc3339(NOW - 120 * DAY), "to": rfc3339(NOW - 20 * DAY)},
    {"first_channel": "web"},
    {"channel": ["web", "email"]},
    {"persona": "pro"},
]


@pytest.fixture
async def shop(served: Served) -> Served:
    """A shop with forty customers, read to the end."""
    served.histories.settled_through = NOW
    await served.histories.store(*crowd(), recorded_at=NOW)
    pro = {"match": {"where": {"traits.plan": {"eq": "pro"}}}}
    assert (await served.client.put("/v1/personas/pro", json=pro)).status_code == 201
    return served


def crowd() -> list[Told]:
    return list(shoppers(random.Random(7), 40, NOW - DAY))


async def read(shop: Served, path: str, **asked: str | int | list[str]) -> dict[str, Any]:
    answer = await shop.client.get(path, params=asked or None)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def rows_behind(shop: Served, drill: str, limit: int = 500) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    page = await read(shop, f"{drill}&limit={limit}")
    rows += page["items"]
    while page["next"] is not None:
        page = await read(shop, f"{drill}&limit={limit}&cursor={page['next']}")
        rows += page["items"]
    return rows


def is_number(row: dict[str, Any], name: str) -> bool:
    return isinstance(row.get(name), int)


def numbers_in(value: object) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Yield each number that can be drilled: its row, its name, and where it leads."""
    if isinstance(value, list):
        for item in value:
            yield from numbers_in(item)
    if isinstance(value, dict):
        if "drill" in value:
            yield value, next(name for name in COUNTS if is_number(value, name)), value["drill"]
        for drill, name in ODD_DRILLS.items():
            if drill in value:
                yield value, name, value[drill]
        for item in value.values():
            yield from numbers_in(item)


@pytest.mark.parametrize("asked", ASKED, ids=str)
@pytest.mark.parametrize("name", NAMES)
async def test_every_number_is_the_number_of_rows_behind_it(
    shop: Served, name: str, asked: dict[str, str | list[str]]
) -> None:
    report = await read(shop, f"/v1/reports/{name}", **asked)
    drilled = 0
    for row, number, drill in numbers_in(report):
        rows = await rows_behind(shop, drill)
        if number == "customers":
            assert len({each["customer_id"] for each in rows}) == row[number], drill
        else:
            assert len(rows) == row[number], drill
            if number in ("touchpoints", "moves", "switches") and "customers" in row:
                assert len({each["customer_id"] for each in rows}) == row["customers"], drill
        drilled += 1
    assert drilled > 1


def stages_of(told: list[Told], shop: Served) -> dict[tuple[str, str], str]:
    """Return the stage that each touchpoint leaves its customer in, by the fold itself."""
    stages = {}
    histories: dict[str, list[Touchpoint]] = {}
    for one in told:
        histories.setdefault(one.event_id[:3], []).append(one.touchpoint)
    for history in histories.values():
        fold = Fold(shop.histories.models[0].program)
        for touchpoint in in_order(history):
            fold.apply(touchpoint)
            held = [move.to for move in fold.moves if move.axis == "stage"]
            stages[touchpoint.source, touchpoint.event_id] = held[-1]
    return stages


async def test_the_map_counts_every_touchpoint_once_in_the_stage_it_left_its_customer_in(
    shop: Served,
) -> None:
    told = crowd()
    report = await read(shop, "/v1/reports/map")
    assert report["touchpoints"] == len(told)
    stages = stages_of(told, shop)
    expected = Counter((stages[one.source, one.event_id], one.channel, one.type) for one in told)
    cells = {(row["stage"], row["channel"], row["type"]): row for row in report["items"]}
    assert {cell: row["touchpoints"] for cell, row in cells.items()} == expected
    for stage in report["stages"]:
        of_stage = [row for row in report["items"] if row["stage"] == stage["stage"]]
        for name in ("touchpoints", "moved", "friction"):
            assert stage[name] == sum(row[name] for row in of_stage)
    rows = await rows_behind(shop, report["drill"])
    assert {(row["source"], row["event_id"]): row["stage"] for row in rows} == stages


async def test_friction_is_what_the_catalogue_says(shop: Served) -> None:
    report = await read(shop, "/v1/reports/friction")
    hurting = [
        one
        for one in crowd()
        if one.type == "complaint_made"
        or (one.type == "review_posted" and int(str(one.properties["rating"])) <= 2)
    ]
    assert report["touchpoints"] == len(hurting) > 10
    assert {row["type"] for row in report["items"]} == {"complaint_made", "review_posted"}
    lost = [row["lost"] for row in report["items"]]
    assert sum(lost) > 0
    assert lost == sorted(lost, reverse=True)


async def test_flow_and_abandonment_count_the_published_moves(shop: Served) -> None:
    moves = await shop.histories.connection.fetch(
        "SELECT axis, kind, from_key, to_key, cause -> 'deadline' IS NOT NULL AS late"
        "  FROM transitions WHERE superseded_at IS NULL"
    )
    flow = await read(shop, "/v1/reports/flow")
    expected = Counter(
        (row["from_key"], row["to_key"], row["kind"]) for row in moves if row["axis"] == "stage"
    )
    assert {
        (row["from"], row["to"], row["move"]): row["moves"] for row in flow["items"]
    } == expected
    abandonment = await read(shop, "/v1/reports/abandonment", last=2)
    gone = [
        row
        for row in moves
        if row["late"] and (row["axis"] == "activity" or row["kind"] == "regress")
    ]
    assert abandonment["moves"] == len(gone) > 10
    for row in abandonment["items"]:
        assert 0 < sum(last["touchpoints"] for last in row["last_touchpoints"]) <= 2 * row["moves"]


async def test_the_last_touchpoints_are_those_before_the_move(shop: Served) -> None:
    report = await read(shop, "/v1/reports/abandonment", last=1)
    told = {(one.source, one.event_id): one for one in crowd()}
    for item in report["items"]:
        for last in item["last_touchpoints"]:
            for row in await rows_behind(shop, last["drill"]):
                one = told[row["source"], row["event_id"]]
                later = [
                    other
                    for other in told.values()
                    if other.event_id[:3] == one.event_id[:3] and one.place < other.place
                ]
                assert not later or min(rfc3339(other.at) for other in later) > row["at"]


async def test_the_funnel_narrows_and_counts_who_skipped_a_stage(shop: Served) -> None:
    report = await read(shop, "/v1/reports/funnel")
    reached = [row["reached"] for row in report["items"]]
    assert report["customers"] == reached[0] == 40
    assert reached == sorted(reached, reverse=True)
    assert all(row["entered"] <= row["reached"] for row in report["items"])
    assert report["items"][0]["from_previous"] == 1.0


async def test_cohorts_begin_in_a_period_and_come_again(shop: Served) -> None:
    by_month = await read(shop, "/v1/reports/cohorts")
    assert by_month["customers"] == 40
    first = {one.event_id[:3]: rfc3339(one.at)[:7] for one in reversed(crowd())}
    assert {row["cohort"][:7]: row["customers"] for row in by_month["items"]} == Counter(
        first.values()
    )
    for row in by_month["items"]:
        assert row["periods"][0]["period"] == 0
        assert row["periods"][0]["share"] == 1.0
        assert all(0 < period["share"] <= 1 for period in row["periods"])
    by_week = await read(shop, "/v1/reports/cohorts", by="week")
    assert sum(row["customers"] for row in by_week["items"]) == 40
    assert len(by_week["items"]) > len(by_month["items"])


async def test_channels_count_switches_within_a_time(shop: Served) -> None:
    def switches(within: int) -> Counter[tuple[str, str]]:
        found: Counter[tuple[str, str]] = Counter()
        before: dict[str, Told] = {}
        for one in sorted(crowd(), key=lambda one: one.place):
            last = before.get(one.event_id[:3])
            if last and last.channel != one.channel and one.at - last.at <= within:
                found[last.channel, one.channel] += 1
            before[one.event_id[:3]] = one
        return found

    report = {}
    for within, micros in (("P1D", DAY), ("PT5H", 18_000 * SECOND)):
        report = await read(shop, "/v1/reports/channels", within=within)
        counted = {(row["from"], row["to"]): row["switches"] for row in report["switches"]}
        assert counted == switches(micros)
    assert sum(row["first_touches"] for row in report["items"]) == 40
    assert 0 < sum(row["won"] for row in report["items"]) < 40


@pytest.mark.parametrize("name", NAMES)
async def test_a_report_is_fresh_tagged_and_to_be_had_as_csv(shop: Served, name: str) -> None:
    answer = await shop.client.get(f"/v1/reports/{name}")
    document = answer.json()
    assert document["freshness"]["timers_overdue"] == 0
    again = await shop.client.get(
        f"/v1/reports/{name}", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert again.status_code == 304
    table = await shop.client.get(f"/v1/reports/{name}", params={"format": "csv"})
    assert table.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(table.text.splitlines()))
    assert [row["drill"] for row in rows] == [item["drill"] for item in document["items"]]


@pytest.mark.parametrize("name", NAMES)
async def test_an_empty_system_has_empty_reports(served: Served, name: str) -> None:
    report = await read(served, f"/v1/reports/{name}")
    numbers = [row[number] for row, number, _ in numbers_in(report)]
    assert set(numbers) <= {0}


@pytest.mark.parametrize(
    ("path", "status", "named"),
    [
        ("funnel?colour=red", 400, "colour"),
        ("funnel?from=yesterday", 400, "from"),
        ("funnel?model=none", 404, None),
        ("map?persona=none", 404, None),
        ("map/drill?of=nothing", 400, "of"),
        ("map/drill?cell=colour:red", 400, "cell"),
        ("map/drill?cursor=x", 400, "cursor"),
        ("channels?within=P1M", 400, "within"),
        ("abandonment?last=0", 400, "last"),
        ("cohorts?by=year", 400, "by"),
        ("nothing", 404, None),
    ],
)
async def test_a_wrong_question_says_what_would_be_right(
    shop: Served, path: str, status: int, named: str | None
) -> None:
    answer = await shop.client.get(f"/v1/reports/{path}")
    assert answer.status_code == status, answer.text
    if named is not None:
        assert named in answer.text


@pytest.mark.parametrize("name", NAMES)
async def test_rows_come_page_by_page_in_one_order(shop: Served, name: str) -> None:
    report = await read(shop, f"/v1/reports/{name}")
    drill = report.get("drill") or report["items"][0]["drill"]
    whole = await rows_behind(shop, drill)
    assert await rows_behind(shop, drill, limit=7) == whole
    keys = [(row["customer_id"], row["at"]) for row in whole]
    assert keys == sorted(keys)


async def test_a_cursor_is_of_its_own_rows_alone(shop: Served) -> None:
    page = await read(shop, "/v1/reports/map/drill", limit=1)
    other = await shop.client.get(
        "/v1/reports/map/drill", params={"cursor": page["next"], "of": "left"}
    )
    assert (other.status_code, other.json()["code"]) == (400, "bad_cursor")
