import httpx

from shared.demo import WEB
from shared.instants import DAY, HOUR, datetime_of, rfc3339
from tests.fixtures.served_api import NOW, START, Served, client_of
from tests.fixtures.told import Told


async def test_the_ledger_accounts_for_every_record(served: Served) -> None:
    await served.histories.store(
        *(Told(event_id=f"e{n}", at=START + n) for n in range(3)), recorded_at=START
    )
    await served.histories.connection.execute(
        "UPDATE claims SET next_offset = 7, duplicate = 2, quarantined = 1, gaps = 1"
    )
    await served.histories.connection.execute(
        "INSERT INTO source_counts (claim_id, source, accepted, rejected, stored, duplicate,"
        " quarantined) VALUES (1, 'web', 5, 1, 3, 2, 1)"
    )
    served.log.ends.update({0: 11, 1: 2})
    document = (await served.client.get("/v1/ledger")).json()
    assert document == {
        "total": {
            "log_end": 13,
            "stored": 3,
            "duplicate": 2,
            "quarantined": 1,
            "erased": 0,
            "gaps": 1,
            "pending": 6,
        },
        "partitions": [
            {
                "topic": "touchpoints",
                "partition": 0,
                "log_end": 11,
                "stored": 3,
                "duplicate": 2,
                "quarantined": 1,
                "erased": 0,
                "gaps": 1,
                "pending": 4,
            },
            {
                "topic": "touchpoints",
                "partition": 1,
                "log_end": 2,
                "stored": 0,
                "duplicate": 0,
                "quarantined": 0,
                "erased": 0,
                "gaps": 0,
                "pending": 2,
            },
        ],
        "sources": [
            {
                "source": "web",
                "accepted": 5,
                "rejected": 1,
                "stored": 3,
                "duplicate": 2,
                "quarantined": 1,
                "erased": 0,
            }
        ],
    }


async def test_stages_stand_in_order_with_the_customers_in_each(served: Served) -> None:
    await served.histories.store(
        Told(event_id="e1", at=START, identifiers=("user_id:a",)),
        Told(event_id="e2", at=START, identifiers=("user_id:b",)),
        Told(event_id="e3", at=START, identifiers=("user_id:c",), type="order_completed"),
        recorded_at=START,
    )
    await served.histories.connection.execute(
        "UPDATE journeys SET next_at = $1 WHERE stage = 'onboarding'", datetime_of(NOW)
    )
    document = (await served.client.get("/v1/stages")).json()
    assert [(stage["key"], stage["customers"]) for stage in document["stages"]] == [
        ("awareness", 2),
        ("decision", 0),
        ("onboarding", 1),
    ]
    assert document["stages"][1] == {
        "key": "decision",
        "label": "Decision",
        "role": "decide",
        "phase": "sale",
        "rank": 1,
        "goal": None,
        "terminal": False,
        "customers": 0,
        "drill": "/v1/customers?stage=decision",
    }
    assert document["freshness"]["timers_overdue"] == 1


async def test_models_are_listed_and_each_version_can_be_read(served: Served) -> None:
    model = served.histories.models[0].program.model
    (listed,) = (await served.client.get("/v1/models")).json()["items"]
    assert listed == {
        "version": model.version,
        "key": "shop",
        "title": "A small shop",
        "state": "active",
        "default": True,
        "created_at": rfc3339(START),
        "activated_at": rfc3339(START),
        "progress": None,
    }
    document = (await served.client.get(f"/v1/models/{model.version}")).json()
    assert document.pop("document")["key"] == "shop"
    assert document == listed
    for missing in ("abc", "%00", "%FF", "x" * 5_000):
        assert (await served.client.get(f"/v1/models/{missing}")).status_code in {400, 404}


async def test_the_pipeline_is_seen_at_a_glance_without_a_key(served: Served) -> None:
    await served.histories.store(Told(event_id="e1", at=START), recorded_at=START)
    await served.histories.read_through(NOW - HOUR)
    served.log.ends[0] = 5
    del served.client.headers["Authorization"]
    document = (await served.client.get("/v1/health")).json()
    assert document["status"] == "stale"
    assert document["lag"] == {
        "records": 4,
        "seconds": 3_600.0,
        "oldest_pending_since": rfc3339(NOW - HOUR),
    }
    assert (document["quarantine_open"], document["timers_overdue"]) == (0, 0)
    assert document["spooled"] == {
        "spools": 0,
        "records": 0,
        "bytes": 0,
        "oldest_since": None,
        "seen_at": None,
    }
    assert document["versions"]["model"].startswith("shop@")


async def test_the_front_page_says_what_runs_here_and_holds_nothing_foreign(
    served: Served,
) -> None:
    del served.client.headers["Authorization"]
    page = await served.client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert 'href="/docs"' in page.text
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert "demo" not in page.text
    assert (await served.client.get("/front.css")).headers["content-type"].startswith("text/css")


async def test_the_front_page_names_a_customer_of_the_demo_and_of_nothing_else(
    served: Served,
) -> None:
    real = Told(event_id="e1", at=START, identifiers=("user_id:real",))
    demo = Told(event_id="e1", at=START, source=WEB, identifiers=('email:"><b>@x.org',))
    await served.histories.store(real, demo, recorded_at=START + DAY)
    page = (await served.client.get("/")).text
    assert "/v1/customers/email%3A%22%3E%3Cb%3E%40x.org/journey" in page
    assert "real" not in page


async def test_the_pipeline_shows_how_sources_do_to_a_key_that_may_read(served: Served) -> None:
    await served.histories.connection.execute(
        "INSERT INTO source_counts (claim_id, source, accepted, last_received_at)"
        " VALUES (1, 'web', 900, $1), (1, 'shop', 100, $2)",
        datetime_of(NOW - HOUR),
        datetime_of(NOW - 5 * HOUR),
    )
    await served.histories.connection.execute(
        "INSERT INTO source_hours (claim_id, source, hour, received, rejected)"
        " SELECT 1, source, at, 100, CASE WHEN source = 'web' AND at >= $3 THEN 10 ELSE 0 END"
        "   FROM (VALUES ('web'), ('shop')) AS given (source),"
        "        generate_series($1, $2, interval '1 hour') AS at",
        datetime_of(NOW - 8 * DAY),
        datetime_of(NOW - 5 * HOUR),
        datetime_of(NOW - DAY),
    )
    open_to_all = (await client_without_key(served).get("/v1/health")).json()
    assert "sources" not in open_to_all
    document = (await served.client.get("/v1/health")).json()
    shop, web = document["sources"]
    assert (shop["source"], shop["signs"]) == ("shop", ["silent"])
    assert shop["silent_seconds"] == 5 * 3_600
    assert (web["source"], web["signs"]) == ("web", ["rejected"])
    assert (web["last_day"], web["usual_day"]) == (2_000, 2_400.0)
    assert web["shares"]["rejected"] == 0.1


def client_without_key(served: Served) -> httpx.AsyncClient:
    return client_of(served.app, None)
