"""The directory over a real database, with a clock that tests move."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest
from sqlalchemy import event, insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.errors import DatabaseUnavailable, Unauthorized
from shared.identity.policy_documents import default_policy
from shared.instants import MINUTE, SECOND, Instant, datetime_of
from shared.key_requests import KeyRequest
from shared.keys import KeyKind, Principal, Scope, mint_key
from shared.sources import API_SOURCE, SourceSettings
from shared.storage.access import (
    create_key,
    create_source,
    list_keys,
    random_base62,
    revoke_key,
    update_source,
)
from shared.storage.directory import DirectoryCache
from shared.storage.engine import open_engine
from shared.storage.tables import policies

PEPPER = b"pepper"
ADMIN = KeyRequest(scopes=frozenset({Scope.ADMIN}))
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


@dataclass
class Deployment:
    """A database, and the time."""

    engine: AsyncEngine
    now: Instant = 1_800_000_000 * SECOND

    def directory(self, *, refresh_seconds: float = 3_600) -> DirectoryCache:
        return DirectoryCache(
            self.engine, PEPPER, lambda: self.now, refresh_seconds=refresh_seconds
        )

    async def source(self, name: str) -> None:
        async with self.engine.begin() as connection:
            await create_source(connection, name, "web", None, now=self.now)

    async def key(self, request: KeyRequest = ADMIN) -> tuple[str, str]:
        async with self.engine.begin() as connection:
            return await create_key(connection, request, pepper=PEPPER, now=self.now)

    async def revoke(self, key_id: str) -> None:
        async with self.engine.begin() as connection:
            await revoke_key(connection, key_id, now=self.now)

    async def away(self) -> None:
        """Take the tables away, as an outage would."""
        async with self.engine.begin() as connection:
            await connection.execute(text("ALTER SCHEMA public RENAME TO elsewhere"))

    async def back(self) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text("ALTER SCHEMA elsewhere RENAME TO public"))


@pytest.fixture
async def here(database_url: str) -> AsyncGenerator[Deployment]:
    async with open_engine(database_url) as engine:
        yield Deployment(engine)


async def test_a_write_key_tells_its_source(here: Deployment) -> None:
    await here.source("shop")
    key_id, key = await here.key(KeyRequest(source="shop"))
    directory = here.directory()
    principal = await directory.authenticate(key)
    scopes = frozenset({Scope.TOUCHPOINTS_WRITE})
    assert principal == Principal(KeyKind.WRITE, key_id, "shop", scopes)
    source = directory.source("shop")
    assert source is not None
    assert source.settings == SourceSettings()


async def test_a_secret_key_tells_its_scopes(here: Deployment) -> None:
    key_id, key = await here.key()
    principal = await here.directory().authenticate(key)
    assert principal == Principal(KeyKind.SECRET, key_id, None, frozenset({Scope.ADMIN}))


@pytest.mark.parametrize(("presented", "code"), [(None, "missing_key"), ("wk_x", "unknown_key")])
async def test_no_key_and_a_mistyped_one_are_told_apart(
    here: Deployment, presented: str | None, code: str
) -> None:
    with pytest.raises(Unauthorized) as refused:
        await here.directory().authenticate(presented)
    assert refused.value.code == code


async def test_a_key_made_under_another_pepper_is_unknown(here: Deployment) -> None:
    _, key = await here.key()
    with pytest.raises(Unauthorized):
        await DirectoryCache(here.engine, b"other", lambda: here.now).authenticate(key)


async def test_a_new_key_and_its_new_source_work_at_once(here: Deployment) -> None:
    directory = here.directory()
    await directory.refresh()
    await here.source("shop")
    _, key = await here.key(KeyRequest(source="shop"))
    assert (await directory.authenticate(key)).source == "shop"
    assert directory.source("shop") is not None


async def test_an_unknown_key_is_looked_up_once_a_second_at_most(here: Deployment) -> None:
    directory = here.directory()
    _, key = await here.key()
    async with here.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE put_away AS SELECT * FROM keys"))
        await connection.execute(text("DELETE FROM keys"))
    with pytest.raises(Unauthorized):
        await directory.authenticate(key)
    async with here.engine.begin() as connection:
        await connection.execute(text("INSERT INTO keys SELECT * FROM put_away"))
    with pytest.raises(Unauthorized):
        await directory.authenticate(key)
    here.now += SECOND
    await directory.authenticate(key)


async def test_a_revoked_key_stops_working_with_the_next_renewal(here: Deployment) -> None:
    key_id, key = await here.key()
    directory = here.directory()
    await directory.authenticate(key)
    await here.revoke(key_id)
    await directory.refresh()
    with pytest.raises(Unauthorized):
        await directory.authenticate(key)


async def test_renewals_come_by_themselves(here: Deployment) -> None:
    key_id, key = await here.key()
    async with here.directory(refresh_seconds=0.01) as directory:
        await directory.authenticate(key)
        await here.revoke(key_id)
        async with asyncio.timeout(10):
            while True:
                try:
                    await directory.authenticate(key)
                except Unauthorized:
                    break
                await asyncio.sleep(0.01)


async def test_a_key_expires_on_time_without_a_renewal(here: Deployment) -> None:
    expiring = KeyRequest(scopes=ADMIN.scopes, expires_at=here.now + MINUTE)
    _, key = await here.key(expiring)
    directory = here.directory()
    await directory.authenticate(key)
    here.now += MINUTE
    with pytest.raises(Unauthorized) as refused:
        await directory.authenticate(key)
    assert refused.value.code == "expired_key"


async def test_settings_change_with_a_renewal(here: Deployment) -> None:
    await here.source("shop")
    directory = here.directory()
    await directory.refresh()
    async with here.engine.begin() as connection:
        await update_source(connection, "shop", settings={"historical": True}, now=here.now)
    await directory.refresh()
    source = directory.source("shop")
    assert source is not None
    assert source.settings.historical


async def test_a_new_source_is_found_when_it_is_looked_for(here: Deployment) -> None:
    directory = here.directory()
    assert await directory.find_source("shop") is None
    await here.source("shop")
    assert await directory.find_source("shop") is None
    here.now += SECOND
    assert await directory.find_source("shop") is not None
    assert directory.source("shop") is not None


@pytest.mark.parametrize("name", ["", "\0", "\ud800", "Shop"])
async def test_what_cannot_be_a_name_is_not_looked_for(here: Deployment, name: str) -> None:
    assert await here.directory().find_source(name) is None


async def test_the_source_of_secret_keys_is_always_there_and_can_be_set(here: Deployment) -> None:
    directory = here.directory()
    assert await directory.find_source("api") == API_SOURCE
    await here.source("api")
    await directory.refresh()
    source = directory.source("api")
    assert source is not None
    assert source.channel == "web"


async def test_a_source_that_cannot_be_read_leaves_the_others(here: Deployment) -> None:
    await here.source("good")
    await here.source("bad")
    async with here.engine.begin() as connection:
        await connection.execute(
            text("""UPDATE sources SET settings = '{"links": 1}' WHERE name = 'bad'""")
        )
    directory = here.directory()
    await directory.refresh()
    assert directory.source("good") is not None
    assert directory.source("bad") is None


async def test_what_was_known_stays_known_during_an_outage(here: Deployment) -> None:
    await here.source("shop")
    _, key = await here.key(KeyRequest(source="shop"))
    directory = here.directory()
    await directory.authenticate(key)
    await here.away()
    with pytest.raises(DatabaseUnavailable):
        await directory.refresh()
    await directory.authenticate(key)
    assert directory.source("shop") is not None
    await here.back()


async def test_during_an_outage_nobody_says_that_a_key_is_unknown(here: Deployment) -> None:
    directory = here.directory()
    await directory.refresh()
    await here.away()
    other = DirectoryCache(here.engine, PEPPER, lambda: here.now)
    key = "sk_AAAAAAAA_" + random_base62(43)
    with pytest.raises(Unauthorized):
        await directory.authenticate(key)  # the checksum is wrong: that needs no database
    await here.back()
    _, real = await here.key()
    await here.away()
    with pytest.raises(DatabaseUnavailable):
        await directory.authenticate(real)
    with pytest.raises(DatabaseUnavailable):
        await other.authenticate(real)
    await here.back()


async def test_a_directory_that_could_never_be_read_says_so() -> None:
    async with (
        open_engine(NOWHERE) as engine,
        DirectoryCache(engine, PEPPER, lambda: 0, refresh_seconds=0.01) as directory,
    ):
        assert await directory.check() is not None
        with pytest.raises(DatabaseUnavailable):
            await directory.authenticate("sk_anything")
        with pytest.raises(DatabaseUnavailable):
            directory.source("shop")
        with pytest.raises(DatabaseUnavailable):
            _ = directory.policy


async def test_an_outage_at_the_start_passes_by_itself(here: Deployment) -> None:
    _, key = await here.key()
    await here.away()
    async with here.directory(refresh_seconds=0.01) as directory:
        assert await directory.check() is not None
        await here.back()
        async with asyncio.timeout(10):
            while True:
                if await directory.check() is None:
                    break
                await asyncio.sleep(0.01)
        await directory.authenticate(key)


async def test_a_directory_that_has_been_read_is_ready(here: Deployment) -> None:
    async with here.directory() as directory:
        assert await directory.check() is None


async def test_many_who_come_first_read_it_once_together(here: Deployment) -> None:
    _, key = await here.key()
    directory = here.directory()
    principals = await asyncio.gather(*(directory.authenticate(key) for _ in range(50)))
    assert len(set(principals)) == 1


def asked(engine: AsyncEngine) -> list[object]:
    """Return a list that grows by one whenever the database is asked."""
    times: list[object] = []
    event.listen(engine.sync_engine, "checkout", lambda *_: times.append(None))
    return times


async def test_the_same_unknown_key_is_looked_up_once_for_all_who_present_it(
    here: Deployment,
) -> None:
    directory = here.directory()
    await directory.refresh()
    unknown = mint_key(KeyKind.SECRET, random_base62).text
    times = asked(here.engine)
    presented = [directory.authenticate(unknown) for _ in range(20)]
    refused = await asyncio.gather(*presented, return_exceptions=True)
    assert {type(error) for error in refused} == {Unauthorized}
    assert len(times) == 1


async def test_a_new_key_is_looked_up_once_for_all_who_present_it(here: Deployment) -> None:
    directory = here.directory()
    await directory.refresh()
    _, key = await here.key()
    times = asked(here.engine)
    assert len(set(await asyncio.gather(*(directory.authenticate(key) for _ in range(20))))) == 1
    assert len(times) == 1


async def test_requests_do_not_wait_for_a_database_that_is_known_to_be_away(
    here: Deployment,
) -> None:
    _, key = await here.key()
    await here.away()
    async with here.directory() as cold:
        times = asked(here.engine)
        with pytest.raises(DatabaseUnavailable):
            await cold.authenticate(key)
        assert times == []
    await here.back()
    async with here.directory() as directory:
        await directory.authenticate(key)
        await here.away()
        with pytest.raises(DatabaseUnavailable):
            await directory.refresh()
        times = asked(here.engine)
        with pytest.raises(DatabaseUnavailable):
            await directory.authenticate(mint_key(KeyKind.SECRET, random_base62).text)
        with pytest.raises(DatabaseUnavailable):
            await directory.find_source("shop")
        assert times == []
        await here.back()


async def test_use_is_noted_once_a_minute(here: Deployment) -> None:
    _, key = await here.key()
    first = here.now
    async with here.directory() as directory:
        await directory.authenticate(key)
        here.now += MINUTE - 1
        await directory.authenticate(key)
    assert await last_used(here) == first
    here.now = first + MINUTE
    async with here.directory() as directory:
        await directory.authenticate(key)
    assert await last_used(here) == first + MINUTE


async def last_used(here: Deployment) -> Instant | None:
    async with here.engine.connect() as connection:
        return (await list_keys(connection))[0].last_used_at


async def test_the_policy_is_the_built_in_one_until_one_is_given(here: Deployment) -> None:
    directory = here.directory()
    await directory.refresh()
    assert directory.policy == default_policy()
    own = {"format": 1, "kinds": [{"kind": "user_id", "unique": True}]}
    async with here.engine.begin() as connection:
        values = {"document": own, "actor": "test", "reason": "", "recorded_at": datetime_of(0)}
        await connection.execute(insert(policies).values(identifiers_of=0, **values))
    await directory.refresh()
    assert [rule.kind for rule in directory.policy.kinds] == ["user_id"]
