"""Removing what the demo sent leaves exactly what would be there without it."""

from collections.abc import Mapping

import pytest

from shared.instants import DAY
from shared.storage.engine import checked_out
from shared.storage.removal import RemovalCounts, remove_sources
from shared.storage.verification import Difference, Result, verify
from shared.touchpoints import Channel
from tests.fixtures.classification import START, Classifier, Sent

TABLES = (
    *("touchpoints", "duplicates", "quarantine", "links", "bars", "identifiers", "customers"),
    *("journeys", "snapshots", "transitions", "outbox", "sources", "keys"),
    *("components", "referrals"),
)

MIA = ("user_id:u-1", "email:mia@example.com")
REAL = (
    Sent("r-1", ("anonymous_id:a-1",)),
    Sent("r-2", (*MIA, "anonymous_id:a-1"), at=START + DAY, type="order_completed"),
    Sent("r-2", (*MIA, "anonymous_id:a-1"), at=START + DAY, type="order_completed"),
    Sent("r-3", ("anonymous_id:a-9",)),
)
DEMO = (
    Sent(
        *("d-1", ("anonymous_id:demo-1",)),
        source="demo-web",
        type="product_viewed",
        properties={"referred_by": "loyalty_id:demo-1"},
    ),
    Sent("d-2", ("user_id:demo-1", "anonymous_id:demo-1"), source="demo-web", at=START + DAY),
    Sent("d-2", ("user_id:demo-1", "anonymous_id:demo-1"), source="demo-web", at=START + DAY),
    Sent("d-3", ("loyalty_id:demo-1",), source="demo-store", channel=Channel.IN_STORE),
    Sent("d-4", ("user_id:demo-2", "anonymous_id:demo-1"), source="demo-web", at=START + 2 * DAY),
)


async def remove(classifier: Classifier) -> RemovalCounts:
    async with classifier.engine.begin() as connection:
        return await remove_sources(connection, "demo-")


async def rows_of(classifier: Classifier) -> Mapping[str, list[dict[str, object]]]:
    """Return what every table holds, apart from row numbers and times of writing."""
    moving = {
        "id",
        "identifier_id",
        "referee_id",
        "a_id",
        "b_id",
        "log_offset",
        "recorded_at",
        "updated_at",
    }
    moving |= {"decided_at", "created_at", "superseded_at", "last_seen_at"}
    found = {}
    for table in TABLES:
        rows = await classifier.rows(f"TABLE {table}")
        kept = [{name: v for name, v in row.items() if name not in moving} for row in rows]
        found[table] = sorted(kept, key=str)
    return found


async def differences(classifier: Classifier) -> list[Difference]:
    async with checked_out(classifier.engine) as connection:
        findings = [finding async for finding in verify(connection)]
    assert isinstance(findings[-1], Result)
    return [finding for finding in findings if isinstance(finding, Difference)]


async def test_only_what_was_there_without_the_demo_is_left(classifier: Classifier) -> None:
    await classifier.feed(*REAL)
    before = await rows_of(classifier)
    await classifier.feed(*DEMO)
    assert await rows_of(classifier) != before
    done = await remove(classifier)
    after = await rows_of(classifier)
    assert {table: rows for table, rows in after.items() if table != "outbox"} == {
        table: rows for table, rows in before.items() if table != "outbox"
    }
    assert len(after["outbox"]) == len(before["outbox"])
    assert done.kept == ()
    assert done.removed["touchpoints"] == 4
    assert done.removed["identifiers"] == 4
    assert done.removed["duplicates"] == 1
    assert await differences(classifier) == []


async def test_the_ledger_does_not_change(classifier: Classifier) -> None:
    await classifier.feed(*REAL, *DEMO)
    before = await classifier.ledger(), await classifier.rows("SELECT * FROM source_counts")
    await remove(classifier)
    assert (await classifier.ledger(), await classifier.rows("SELECT * FROM source_counts")) == (
        before
    )


async def test_a_customer_whom_another_source_knows_stays_whole(classifier: Classifier) -> None:
    await classifier.feed(*REAL, *DEMO)
    shared = Sent("d-9", ("email:mia@example.com",), source="demo-email", type="email_opened")
    await classifier.feed(shared)
    await classifier.feed(Sent("d-10", ("email:zoe@demo.example",), source="demo-email"))
    done = await remove(classifier)
    customers = await classifier.customers()
    [mia] = [id_ for id_, members in customers.items() if "user_id:u-1" in members]
    assert done.kept == ((mia, 1),)
    assert customers[mia] == {*MIA, "anonymous_id:a-1"}
    assert {str(row["event_id"]) for row in await classifier.rows("SELECT * FROM touchpoints")} == {
        *("r-1", "r-2", "r-3", "d-9"),
    }
    assert await differences(classifier) == []


async def test_whoever_a_conflict_connects_with_somebody_real_stays_as_well(
    classifier: Classifier,
) -> None:
    await classifier.feed(
        Sent("r-1", ("user_id:u-1", "phone:+4930231250")),
        Sent("d-1", ("user_id:demo-1", "phone:+4930231250"), source="demo-web", at=START + DAY),
    )
    done = await remove(classifier)
    assert len(done.kept) == 1
    assert set(done.removed.values()) == {0}
    assert len(await classifier.customers()) == 2
    assert await differences(classifier) == []


async def test_bars_sources_keys_and_quarantine_go_too(classifier: Classifier) -> None:
    await classifier.feed(*DEMO)
    await classifier.execute(
        "INSERT INTO sources (name, channel, created_at, updated_at) VALUES "
        "('demo-web', 'web', now(), now()), ('demonstration', 'web', now(), now())"
    )
    await classifier.execute(
        "INSERT INTO keys (id, kind, source, digest, created_at) VALUES "
        "('1', 'write', 'demo-web', '1', now()), ('2', 'write', 'demonstration', '2', now())"
    )
    await classifier.execute(
        "INSERT INTO bars (id, a_id, b_id, reason, actor, recorded_at) "
        "SELECT gen_random_uuid(), min(id), max(id), 'no', 'me', now() FROM identifiers"
    )
    await classifier.execute(
        "INSERT INTO quarantine (id, source, reason, message, raw, raw_length, raw_sha256, "
        "received_at, recorded_at) VALUES "
        "(gen_random_uuid(), 'demo-web', 'bad', '', '', 0, '', now(), now()), "
        "(gen_random_uuid(), 'web', 'bad', '', '', 0, '', now(), now())"
    )
    done = await remove(classifier)
    left = await rows_of(classifier)
    assert [source["name"] for source in left["sources"]] == ["demonstration"]
    assert [key["source"] for key in left["keys"]] == ["demonstration"]
    assert [item["source"] for item in left["quarantine"]] == ["web"]
    assert left["bars"] == left["identifiers"] == left["outbox"] == left["transitions"] == []
    assert done.removed["bars"] == done.removed["sources"] == done.removed["keys"] == 1


async def test_removing_again_or_nothing_at_all_is_harmless(classifier: Classifier) -> None:
    assert set((await remove(classifier)).removed.values()) == {0}
    await classifier.feed(*DEMO)
    await remove(classifier)
    assert set((await remove(classifier)).removed.values()) == {0}
    await classifier.feed(*DEMO)
    assert await differences(classifier) == []
    assert len(await classifier.customers()) == 3


async def test_everything_is_never_meant(classifier: Classifier) -> None:
    async with classifier.engine.begin() as connection:
        with pytest.raises(ValueError, match="everything"):
            await remove_sources(connection, "")
