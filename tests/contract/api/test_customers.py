from urllib.parse import quote
from uuid import uuid4

import pytest

from shared.identity.identifiers import identifier_id
from shared.instants import DAY, HOUR, rfc3339
from shared.touchpoints import Channel
from tests.fixtures.served_api import NOW, START, Served
from tests.fixtures.told import Told, identifier

ANA = ("user_id:u_42", "email:ana@example.com")


async def told_ana(served: Served) -> None:
    await served.histories.store(
        Told(
            event_id="e1",
            at=START,
            identifiers=("anonymous_id:a-77",),
            traits={"plan": "free", "gone": 1},
        ),
        Told(
            event_id="e2",
            at=START + HOUR,
            identifiers=(*ANA, "anonymous_id:a-77"),
            type="order_completed",
            channel=Channel.IN_STORE,
            source="till",
            traits={"plan": "pro", "gone": None},
        ),
        recorded_at=START + DAY,
    )


async def test_a_customer_is_everything_that_is_known_of_them(served: Served) -> None:
    await told_ana(served)
    document = (await served.client.get("/v1/customers/user_id:u_42")).json()
    links = document.pop("links")
    journey = document.pop("journey")
    assert document == {
        "customer_id": str(identifier_id(identifier("user_id:u_42"))),
        "identifiers": [
            {
                "kind": "anonymous_id",
                "value": "a-77",
                "first_seen_at": rfc3339(START),
                "last_seen_at": rfc3339(START + HOUR),
            },
            *(
                {
                    "kind": kind,
                    "value": value,
                    "first_seen_at": rfc3339(START + HOUR),
                    "last_seen_at": rfc3339(START + HOUR),
                }
                for kind, value in (("email", "ana@example.com"), ("user_id", "u_42"))
            ),
        ],
        "traits": {"plan": "pro"},
        "first_touch": {
            "at": rfc3339(START),
            "channel": "web",
            "type": "product_viewed",
            "source": "web",
            "event_id": "e1",
        },
        "last_touch": {
            "at": rfc3339(START + HOUR),
            "channel": "in_store",
            "type": "order_completed",
            "source": "till",
            "event_id": "e2",
        },
        "touchpoints": {"total": 2, "by_channel": {"in_store": 1, "web": 1}},
        "links_total": 2,
        "conflicts": [],
        "conflicts_total": 0,
        "bars": [],
        "referred_by": [],
        "referrals": [],
        "freshness": {"as_of": rfc3339(NOW), "lag_seconds": 0.0, "stale": False},
    }
    assert sorted(link["a"] + " " + link["b"] for link in links) == [
        "anonymous_id:a-77 user_id:u_42",
        "email:ana@example.com user_id:u_42",
    ]
    assert list(journey) == [
        "stage",
        "activity",
        "cycle",
        "peak_stage",
        "next",
        "model",
        "version",
    ]
    assert journey["stage"]["key"] == "onboarding"


async def test_any_name_past_or_present_finds_the_customer(served: Served) -> None:
    await told_ana(served)
    present = (await served.client.get("/v1/customers/user_id:u_42")).json()
    former = str(identifier_id(identifier("anonymous_id:a-77")))
    names = ["anonymous_id:a-77", "email:Ana@Example.com ", former, former.upper()]
    for name in [*names, present["customer_id"]]:
        found = await served.client.get(f"/v1/customers/{quote(name, safe='')}")
        assert found.json() == present, name


async def test_refused_joins_stand_as_conflicts_on_both_sides(served: Served) -> None:
    await served.histories.store(
        Told(event_id="e1", at=START, identifiers=("user_id:u_1", "email:a@x.org")),
        Told(event_id="e2", at=START + HOUR, identifiers=("user_id:u_2", "email:a@x.org")),
        recorded_at=START + DAY,
    )
    for name in ("user_id:u_1", "user_id:u_2"):
        document = (await served.client.get(f"/v1/customers/{name}")).json()
        assert [(link["a"], link["b"]) for link in document["conflicts"]] == [
            ("email:a@x.org", "user_id:u_2")
        ]


@pytest.mark.parametrize(
    "name", ["a/b", "a%2Fb", "ü / ? # & + = %", "..", "a b", "emoji-🙂", "x" * 200, "a:b:c", '"']
)
@pytest.mark.parametrize("rest", ["", "/timeline", "/journey"])
async def test_an_identifier_may_hold_any_character(served: Served, name: str, rest: str) -> None:
    told = Told(event_id="e1", at=START, identifiers=(f"crm_id:{name}",))
    await served.histories.store(told, recorded_at=START)
    by_path = await served.client.get(f"/v1/customers/{quote(f'crm_id:{name}', safe='')}{rest}")
    assert by_path.status_code == 200
    by_query = await served.client.get(
        f"/v1/customers/lookup{rest}", params={"ref": f"crm_id:{name}"}
    )
    assert by_query.json() == by_path.json()


async def test_who_was_never_heard_of_is_not_found(served: Served) -> None:
    for name in ("user_id:nobody", str(uuid4()), "email:nobody@example.com"):
        for rest in ("", "/timeline", "/journey"):
            answer = await served.client.get(f"/v1/customers/{name}{rest}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "segment",
    ["nobody", "user_id", "user_id:", "USER:x", "user_id:%00", "user_id:%FF", "%FF", "%ED%A0%80"],
)
async def test_what_is_no_reference_is_refused_with_a_reason(served: Served, segment: str) -> None:
    for rest in ("", "/timeline", "/journey"):
        answer = await served.client.get(f"/v1/customers/{segment}{rest}")
        assert answer.status_code in {400, 404}, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] in {"bad_ref", "bad_path", "not_found"}


async def test_a_lookup_without_a_reference_is_refused(served: Served) -> None:
    for rest in ("", "?ref=", "/timeline", "/timeline?ref=", "/journey?ref=&as_of="):
        answer = await served.client.get(f"/v1/customers/lookup{rest}")
        assert answer.status_code == 400, rest
        assert answer.json()["code"] in {"bad_ref", "bad_parameter"}


async def test_a_reader_who_holds_the_customer_is_told_so(served: Served) -> None:
    await told_ana(served)
    first = await served.client.get("/v1/customers/user_id:u_42")
    assert first.headers["etag"].startswith('W/"')
    again = await served.client.get(
        "/v1/customers/user_id:u_42", headers={"If-None-Match": first.headers["etag"]}
    )
    assert again.status_code == 304


async def test_up_to_a_hundred_customers_are_looked_up_at_once(served: Served) -> None:
    await served.histories.store(
        Told(event_id="e1", at=START, identifiers=("user_id:u_1", "email:ana@example.com")),
        Told(event_id="e2", at=START, identifiers=("crm_id:a/b",)),
        recorded_at=START,
    )
    alone = (await served.client.get("/v1/customers/user_id:u_1")).json()
    refs = ["email:Ana@example.com", "crm_id:a/b", "user_id:nobody", alone["customer_id"]]
    answer = await served.client.post("/v1/customers/lookup", json={"refs": refs})
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    assert [item["ref"] for item in items] == refs
    freshness = alone.pop("freshness")
    assert items[0] == {"ref": refs[0], **alone}
    assert items[3] == {"ref": refs[3], **alone}
    assert items[1]["identifiers"][0]["value"] == "a/b"
    assert (items[2]["customer_id"], items[2]["code"]) == (None, "not_found")
    assert answer.json()["freshness"] == freshness


@pytest.mark.parametrize(
    "body",
    [
        {"refs": []},
        {"refs": [f"user_id:u_{number}" for number in range(101)]},
        {"refs": "user_id:u_1"},
        {"refs": [None]},
        {},
        {"refs": ["user_id:u_1"], "fields": []},
    ],
)
async def test_a_look_up_of_none_too_many_or_something_else_is_refused(
    served: Served, body: object
) -> None:
    answer = await served.client.post("/v1/customers/lookup", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"]


async def test_a_look_up_names_every_reference_that_is_none(served: Served) -> None:
    body = {"refs": ["user_id:u_1", "nonsense", "user_id:"]}
    answer = await served.client.post("/v1/customers/lookup", json=body)
    assert answer.status_code == 422
    assert [fault["path"] for fault in answer.json()["errors"]] == ["refs[1]", "refs[2]"]


@pytest.mark.parametrize(
    "what", ["", "/timeline", "/journey", "/journey?as_of=2025-03-02T00:00:00Z"]
)
async def test_a_log_that_another_one_replaced_makes_no_answer_stale(
    served: Served, what: str
) -> None:
    await told_ana(served)
    await served.histories.connection.execute(
        "INSERT INTO claims (log_id, topic, partition, start_offset, next_offset, read_through)"
        " VALUES ('former', 'touchpoints', 0, 0, 0, '2025-01-01T00:00:00Z')"
    )
    fresh = (await served.client.get(f"/v1/customers/user_id:u_42{what}")).json()["freshness"]
    assert (fresh["as_of"], fresh["stale"]) == (rfc3339(NOW), False)
