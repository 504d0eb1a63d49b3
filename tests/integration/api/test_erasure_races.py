"""An erasure among batches: what is stored while it searches is found too."""

import asyncio
from uuid import UUID

import pytest

from services.api.erasure_mentions import find_mentions, with_late_ones
from services.api.log_clearing import LogClearing
from shared.clock import wall_clock
from shared.erasure import Digests
from shared.identity.identifiers import identifier_id
from shared.instants import DAY
from shared.storage.verification import Difference
from shared.upkeep.transactions import TransactionConflict, transaction
from tests.eventually import eventually
from tests.fixtures.classification import START, Refused, Sent
from tests.fixtures.classified_api import Classified, classified_api
from tests.fixtures.histories import findings
from tests.fixtures.told import identifier

ANA, HER_MAIL, BEN = "user_id:ana", "email:ana@example.com", "user_id:ben"
HER_ROWS = "SELECT id, kind, value, own_id FROM identifiers WHERE customer_id = $1"


async def test_what_was_recorded_since_the_search_is_found_without_searching_all_again(
    database_url: str,
) -> None:
    async with classified_api(database_url) as classified:
        engine, her_id = classified.classifier.engine, identifier_id(identifier(ANA))
        await classified.feed(Sent("a1", (ANA, HER_MAIL)), Sent("b1", (BEN, HER_MAIL), links=False))
        before = await find_mentions(engine, her_id)
        assert before.bodies == {("web", "b1")}
        raw = b'{"customer": {"user_id": "ana"}}'
        await classified.feed(
            Sent("b2", (BEN, HER_MAIL), links=False),
            Sent("b3", (BEN,), properties={"referred_by": ANA}),
            Refused(UUID(int=1), raw=raw),
        )
        async with transaction(engine) as connection:
            rows = await connection.fetch(HER_ROWS, her_id)
            found = await with_late_ones(connection, before, rows)
        assert found.bodies == {("web", "b1"), ("web", "b2"), ("web", "b3")}
        assert found.items == {UUID(int=1)}


async def test_a_customer_who_got_an_identifier_since_the_search_is_searched_anew(
    database_url: str,
) -> None:
    async with classified_api(database_url) as classified:
        engine, her_id = classified.classifier.engine, identifier_id(identifier(ANA))
        await classified.feed(Sent("a1", (ANA,)))
        before = await find_mentions(engine, her_id)
        await classified.feed(Sent("a2", (ANA, HER_MAIL)))
        async with transaction(engine) as connection:
            rows = await connection.fetch(HER_ROWS, her_id)
            with pytest.raises(TransactionConflict, match="identifier"):
                await with_late_ones(connection, before, rows)


async def test_an_erasure_among_batches_leaves_no_name_behind(database_url: str) -> None:
    async with classified_api(database_url) as classified:
        await classified.feed(Sent("a1", (ANA, HER_MAIL)))
        asked = asyncio.Event()

        async def batches() -> None:
            for number in range(40):
                await classified.feed(
                    Sent(f"n{number}", (BEN, HER_MAIL), at=START + number, links=False),
                    Sent(f"r{number}", (BEN,), properties={"referred_by": ANA}),
                    Sent(f"o{number}", (BEN,), at=START + DAY),
                )
                if number == 5:
                    asked.set()

        async def erasure() -> int:
            await asked.wait()
            answer = await classified.client.delete(f"/v1/customers/{ANA}")
            return answer.status_code

        _, status = await asyncio.gather(batches(), erasure())
        assert status == 200
        assert await names_left(classified) == 0
        found = await findings(classified.classifier)
        assert not [finding for finding in found if isinstance(finding, Difference)]


async def test_after_an_erasure_the_database_s_files_are_vacuumed_once(database_url: str) -> None:
    async with classified_api(database_url) as classified:
        await classified.feed(Sent("a1", (ANA, HER_MAIL)))
        assert (await classified.client.delete(f"/v1/customers/{ANA}")).status_code == 200
        engine, stopping = classified.classifier.engine, asyncio.Event()
        clearing = LogClearing(None, engine, Digests.under(b"pepper"), wall_clock)
        running = asyncio.create_task(clearing.run(stopping))

        async def is_vacuumed() -> bool:
            [row] = await classified.classifier.rows(
                "SELECT vacuumed_at IS NOT NULL AND vacuum_count > 0 AS done"
                "  FROM certificates, pg_stat_user_tables WHERE relname = 'touchpoints'"
            )
            return bool(row["done"])

        await eventually(is_vacuumed)
        stopping.set()
        await running


async def names_left(classified: Classified) -> int:
    [row] = await classified.classifier.rows(
        "SELECT count(*) AS n FROM touchpoints WHERE body::text LIKE '%ana%'"
    )
    return int(str(row["n"]))
