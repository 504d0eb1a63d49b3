import random
from itertools import count

import pytest

from shared.clock import wall_clock
from shared.instants import DAY, HOUR, MINUTE, rfc3339
from shared.touchpoints import Channel
from tests.fixtures.served_api import START, Served
from tests.fixtures.told import Told

TIMELINE = "/v1/customers/user_id:u_1/timeline"
Items = list[dict[str, object]]


async def page(served: Served, path: str = TIMELINE, /, **params: object) -> dict[str, object]:
    answer = await served.client.get(path, params=_given(params))
    assert answer.status_code == 200, answer.text
    document: dict[str, object] = answer.json()
    return document


def _given(params: dict[str, object]) -> dict[str, str | list[str]]:
    return {
        name.rstrip("_"): value if isinstance(value, list) else str(value)
        for name, value in params.items()
    }


async def items(served: Served, /, **params: object) -> Items:
    return as_items(await page(served, **params))


def as_items(document: dict[str, object]) -> Items:
    found = document["items"]
    assert isinstance(found, list)
    return found


async def all_pages(served: Served, /, **params: object) -> Items:
    read: Items = []
    cursor: object = None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        document = await page(served, **params, **more)
        read += as_items(document)
        cursor = document["next"]
        if cursor is None:
            return read


def identity(item: dict[str, object]) -> tuple[object, ...]:
    """What tells an item from every other."""
    return tuple(item.get(name) for name in ("kind", "at", "source", "event_id", "id", "action"))


async def test_a_touchpoint_stands_there_with_everything_that_was_sent(served: Served) -> None:
    told = Told(
        event_id="order-1001",
        at=START,
        type="order_completed",
        identifiers=("email:ana@example.com", "user_id:u_1"),
        channel=Channel.IN_STORE,
        source="till",
        properties={"value": 99.5, "order_id": "1001"},
        context={"store": {"id": 7}},
        traits={"plan": "pro"},
        text="thank you",
        flags=("id_assigned",),
    )
    await served.histories.store(told, recorded_at=START)
    assert await items(served, kinds="touchpoint") == [
        {
            "kind": "touchpoint",
            "at": "2025-03-01T12:00:00Z",
            "occurred_at": "2025-03-01T12:00:00Z",
            "sent_at": None,
            "received_at": "2025-03-01T12:00:00Z",
            "source": "till",
            "event_id": "order-1001",
            "channel": "in_store",
            "type": "order_completed",
            "properties": {"value": 99.5, "order_id": "1001"},
            "context": {"store": {"id": 7}},
            "traits": {"plan": "pro"},
            "text": "thank you",
            "flags": ["id_assigned"],
            "identifiers": ["user_id:u_1", "email:ana@example.com"],
            "position": {"topic": "touchpoints", "partition": 0, "offset": 0},
        }
    ]


async def test_the_newest_comes_first_and_kinds_of_one_instant_have_an_order(
    served: Served,
) -> None:
    both = ("user_id:u_1", "anonymous_id:a_1")
    await served.histories.store(
        Told(event_id="e1", at=START, identifiers=both),
        Told(event_id="e2", at=START + HOUR),
        recorded_at=START + HOUR,
    )
    newest_first = await items(served)
    assert [(item["kind"], item["at"]) for item in newest_first] == [
        ("transition", "2025-03-01T13:00:00Z"),
        ("touchpoint", "2025-03-01T13:00:00Z"),
        ("transition", "2025-03-01T12:00:00Z"),
        ("transition", "2025-03-01T12:00:00Z"),
        ("touchpoint", "2025-03-01T12:00:00Z"),
        ("identity", "2025-03-01T12:00:00Z"),
    ]
    assert await items(served, order="asc") == newest_first[::-1]


async def test_a_transition_says_what_moved_and_why(served: Served) -> None:
    await served.histories.store(Told(event_id="e1", at=START), recorded_at=START + MINUTE)
    model = served.histories.models[0]
    activity, stage = await items(served, kinds="transition", order="asc")
    assert (activity["axis"], stage["axis"]) == ("activity", "stage")
    assert stage == {
        "kind": "transition",
        "id": stage["id"],
        "at": "2025-03-01T12:00:00Z",
        "decided_at": "2025-03-01T12:01:00Z",
        "axis": "stage",
        "move": "start",
        "from": None,
        "to": "awareness",
        "rule": "start",
        "cycle": 1,
        "cause": {"touchpoint": {"source": "web", "event_id": "e1"}, "evidence": []},
        "superseded_at": None,
        "model": "shop",
        "version": model.version,
    }


async def test_links_and_what_became_of_them_stand_on_the_timeline(served: Served) -> None:
    await served.histories.store(
        Told(event_id="e1", at=START, identifiers=("user_id:u_1", "email:a@x.org")),
        Told(event_id="e2", at=START + HOUR, identifiers=("user_id:u_2", "email:a@x.org")),
        recorded_at=START + HOUR,
    )
    await served.histories.bar("user_id:u_1", "email:a@x.org", at=START + DAY)
    told = await items(served, kinds="identity", order="asc")
    assert [(item["action"], item["a"], item["b"], item["event_id"]) for item in told] == [
        ("linked", "email:a@x.org", "user_id:u_1", "e1"),
        ("unlinked", "email:a@x.org", "user_id:u_1", None),
    ]
    refused = await page(served, "/v1/customers/user_id:u_2/timeline", kinds="identity")
    assert [item["action"] for item in as_items(refused)][-1] == "linked"


async def test_a_join_that_a_guard_refused_is_told_to_both(served: Served) -> None:
    await served.histories.store(
        Told(event_id="e1", at=START, identifiers=("user_id:u_1", "email:a@x.org")),
        Told(event_id="e2", at=START + HOUR, identifiers=("user_id:u_2", "email:a@x.org")),
        recorded_at=START + HOUR,
    )
    for customer in ("user_id:u_1", "user_id:u_2"):
        document = await page(served, f"/v1/customers/{customer}/timeline", kinds="identity")
        assert "refused" in [item["action"] for item in as_items(document)]


async def test_channels_types_and_times_select(served: Served) -> None:
    await served.histories.store(
        Told(event_id="e1", at=START, channel=Channel.WEB, type="product_viewed"),
        Told(event_id="e2", at=START + HOUR, channel=Channel.EMAIL, type="email_clicked"),
        Told(event_id="e3", at=START + 2 * HOUR, channel=Channel.IN_STORE, type="store_sale"),
        recorded_at=START + DAY,
    )

    async def found(**params: object) -> list[object]:
        return [item["event_id"] for item in await items(served, kinds="touchpoint", **params)]

    assert await found(channel=["web", "email"]) == ["e2", "e1"]
    assert await found(type=["store_sale", "product_viewed"]) == ["e3", "e1"]
    assert await found(from_=rfc3339(START + HOUR)) == ["e3", "e2"]
    assert await found(to=rfc3339(START + HOUR)) == ["e1"]
    assert await found(from_=rfc3339(START), to=rfc3339(START)) == []
    assert await found(type="nothing_like_it") == []


async def test_what_was_taken_back_shows_only_when_asked_for(served: Served) -> None:
    await served.histories.store(
        Told(event_id="e1", at=START), Told(event_id="e2", at=START + HOUR), recorded_at=START + DAY
    )
    late = Told(event_id="e0", at=START - HOUR, type="order_completed")
    await served.histories.store(late, recorded_at=START + 2 * DAY)
    standing = await items(served, kinds="transition")
    assert {item["superseded_at"] for item in standing} == {None}
    assert "decision" not in {item["to"] for item in standing}
    everything = await items(served, kinds="transition", superseded="true")
    taken_back = [item for item in everything if item["superseded_at"] is not None]
    assert {item["superseded_at"] for item in taken_back} == {rfc3339(START + 2 * DAY)}
    assert "decision" in {item["to"] for item in taken_back}


async def test_known_at_shows_what_was_believed_then(served: Served) -> None:
    await served.histories.store(
        Told(event_id="e1", at=START), Told(event_id="e2", at=START + HOUR), recorded_at=START + DAY
    )
    believed = await items(served)
    late = Told(event_id="e0", at=START - HOUR, type="order_completed")
    await served.histories.store(late, recorded_at=START + 2 * DAY)
    then = [
        item | {"superseded_at": None}
        for item in await items(served, known_at=rfc3339(START + DAY))
        if item["kind"] == "transition"
    ]
    assert then == [item for item in believed if item["kind"] == "transition"]
    assert len(await items(served, known_at=rfc3339(START - DAY))) == 0


async def test_a_time_to_come_is_moved_back_to_what_is_settled(served: Served) -> None:
    await served.histories.store(Told(event_id="e1", at=START), recorded_at=START)
    document = await page(served, known_at="9999-12-31T23:59:59.999999Z")
    assert isinstance(document["known_at"], str)
    assert rfc3339(START) < document["known_at"] < "9999"


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("seed", range(4))
async def test_pages_never_repeat_or_skip_while_touchpoints_arrive_and_customers_merge(
    served: Served, order: str, seed: int
) -> None:
    chance = random.Random(seed)
    number = count()

    def batch(*names: str) -> list[Told]:
        return [
            Told(
                event_id=f"e{next(number)}",
                at=START + chance.randrange(12) * HOUR,
                identifiers=(chance.choice(names),),
                type=chance.choice(["product_viewed", "order_completed"]),
                source=chance.choice(["web", "app"]),
            )
            for _ in range(10)
        ]

    await served.histories.store(*batch("user_id:u_1", "anonymous_id:a_1"), recorded_at=START + DAY)
    login = Told(event_id="login", at=START, identifiers=("user_id:u_1", "anonymous_id:a_1"))
    await served.histories.store(login, recorded_at=START + DAY)
    at_the_start = [identity(item) for item in await items(served, order=order, limit=500)]

    document = await page(served, order=order, limit=3)
    read = as_items(document)
    while document["next"] is not None:
        new = batch("user_id:u_1", "anonymous_id:a_1", "anonymous_id:a_2")
        merge = Told(
            event_id=f"merge-{next(number)}",
            at=START + chance.randrange(12) * HOUR,
            identifiers=("user_id:u_1", "anonymous_id:a_2"),
        )
        await served.histories.store(*new, merge, recorded_at=wall_clock())
        document = await page(served, order=order, limit=3, cursor=document["next"])
        read += as_items(document)

    seen = [identity(item) for item in read]
    assert len(seen) == len(set(seen))
    assert [item for item in seen if item in set(at_the_start)] == at_the_start


async def test_pages_go_on_with_the_identifiers_of_the_first_when_a_customer_is_split(
    served: Served,
) -> None:
    told = [
        Told(event_id=f"e{n}", at=START + n * HOUR, identifiers=(name,))
        for n, name in enumerate(["anonymous_id:a_1"] * 3 + ["user_id:u_1"] * 3)
    ]
    login = Told(event_id="login", at=START, identifiers=("user_id:u_1", "anonymous_id:a_1"))
    await served.histories.store(*told, login, recorded_at=START + DAY)
    whole = [identity(item) for item in await items(served, kinds="touchpoint")]
    first = await page(served, kinds="touchpoint", limit=2)
    await served.histories.bar("user_id:u_1", "anonymous_id:a_1", at=wall_clock())
    second = await page(served, kinds="touchpoint", limit=500, cursor=first["next"])
    read = [*as_items(first), *as_items(second)]
    assert [identity(item) for item in read] == whole


async def test_small_pages_put_together_are_one_large_page(served: Served) -> None:
    told = [Told(event_id=f"e{n}", at=START + (n % 5) * HOUR) for n in range(20)]
    await served.histories.store(*told, recorded_at=START + DAY)
    whole = await items(served, limit=500)
    for limit in (1, 2, 7, len(whole)):
        assert await all_pages(served, limit=limit) == whole


async def test_a_last_page_that_is_full_has_no_next(served: Served) -> None:
    await served.histories.store(Told(event_id="e1", at=START), recorded_at=START)
    document = await page(served, kinds="touchpoint", limit=1)
    assert document["next"] is None


async def test_the_link_header_leads_to_the_same_next_page(served: Served) -> None:
    told = [
        Told(event_id=f"e{n}", at=START + n * HOUR, identifiers=("user_id:a/b c",))
        for n in range(3)
    ]
    await served.histories.store(*told, recorded_at=START + DAY)
    asked = {"limit": "1", "kinds": "touchpoint", "type": "product_viewed"}
    first = await served.client.get(
        "/v1/customers/lookup/timeline",
        params={
            "ref": "user_id:a/b c",
            "limit": 1,
            "kinds": "touchpoint",
            "type": "product_viewed",
        },
    )
    url = first.links["next"]["url"]
    second = await served.client.get(url)
    assert [item["event_id"] for item in second.json()["items"]] == ["e1"]
    by_cursor = await served.client.get(
        "/v1/customers/user_id:a%2Fb%20c/timeline",
        params={**asked, "cursor": first.json()["next"]},
    )
    assert by_cursor.json()["items"] == second.json()["items"]


async def test_a_changed_cursor_and_one_of_another_question_are_refused(served: Served) -> None:
    told = [Told(event_id=f"e{n}", at=START + n * HOUR) for n in range(3)]
    await served.histories.store(*told, recorded_at=START + DAY)
    cursor = (await page(served, limit=1))["next"]
    assert isinstance(cursor, str)
    flipped = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    wrong: list[dict[str, str]] = [
        {"cursor": flipped},
        {"cursor": cursor, "order": "asc"},
        {"cursor": cursor, "kinds": "touchpoint"},
        {"cursor": "AAAA"},
        {"cursor": ""},
    ]
    for params in wrong:
        answer = await served.client.get(TIMELINE, params=params)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor"), params


async def test_a_customer_with_very_many_identifiers_can_be_paged(served: Served) -> None:
    told = [
        Told(
            event_id=f"e{n}",
            at=START + n * MINUTE,
            identifiers=("user_id:u_1", f"device_id:{'x' * 150}{n}"),
            properties={"n": n},
        )
        for n in range(450)
    ]
    await served.histories.store(*told, recorded_at=START + DAY)
    read = await all_pages(served, kinds="touchpoint", limit=200)
    assert [item["event_id"] for item in read] == [f"e{n}" for n in reversed(range(450))]


@pytest.mark.parametrize("limit", [1, 2, 500])
async def test_a_past_belief_reads_the_same_whatever_comes_later(
    served: Served, limit: int
) -> None:
    told = [
        Told(event_id=f"e{n}", at=START + n * HOUR, identifiers=(name,))
        for n, name in enumerate(["anonymous_id:a_1", "user_id:u_1"] * 3)
    ]
    await served.histories.store(*told, recorded_at=START + DAY)
    login = Told(event_id="login", at=START, identifiers=("user_id:u_1", "anonymous_id:a_1"))
    await served.histories.store(login, recorded_at=START + 2 * DAY)
    apart = await all_pages(served, known_at=rfc3339(START + DAY), limit=limit)
    together = await all_pages(served, known_at=rfc3339(START + 2 * DAY), limit=limit)
    assert [item["event_id"] for item in apart if item["kind"] == "touchpoint"] == [
        "e5",
        "e3",
        "e1",
    ]
    assert {item["event_id"] for item in together if item["kind"] == "touchpoint"} == {
        "login",
        *(f"e{n}" for n in range(6)),
    }
    assert {item["kind"] for item in together} == {"touchpoint", "transition", "identity"}
    late = Told(event_id="e9", at=START - DAY, type="order_completed")
    await served.histories.store(late, recorded_at=START + 3 * DAY)
    await served.histories.bar("user_id:u_1", "anonymous_id:a_1", at=START + 4 * DAY)
    assert await all_pages(served, known_at=rfc3339(START + DAY), limit=limit) == apart
    assert await all_pages(served, known_at=rfc3339(START + 2 * DAY), limit=limit) == together


async def test_a_past_belief_holds_deadlines_that_nobody_had_published_yet(served: Served) -> None:
    told = [Told(event_id=f"e{n}", at=START + n * HOUR) for n in range(2)]
    await served.histories.store(*told, recorded_at=START + HOUR)
    believed = await items(served, kinds="transition", known_at=rfc3339(START + 20 * DAY))
    assert [(item["rule"], item["decided_at"]) for item in believed] == [
        ("abandoned", None),
        ("interested", rfc3339(START + HOUR)),
        ("start", rfc3339(START + HOUR)),
        ("sign_of_life", rfc3339(START + HOUR)),
    ]


async def test_what_had_been_taken_back_by_then_shows_when_asked_for(served: Served) -> None:
    told = [Told(event_id=f"e{n}", at=START + n * HOUR) for n in range(2)]
    await served.histories.store(*told, recorded_at=START + DAY)
    late = Told(event_id="late", at=START - HOUR, type="order_completed")
    await served.histories.store(late, recorded_at=START + 2 * DAY)

    async def taken_back(days: int) -> list[object]:
        known_at = rfc3339(START + days * DAY)
        shown = await items(served, kinds="transition", known_at=known_at, superseded="true")
        return [item["superseded_at"] for item in shown if item["superseded_at"]]

    assert await taken_back(1) == []
    assert await taken_back(2) == [rfc3339(START + 2 * DAY)] * 3
