"""Sources and keys in a real database."""

from collections.abc import AsyncGenerator

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.errors import Conflict, Invalid, NotFound
from shared.instants import SECOND, Instant
from shared.key_requests import KeyRequest, parse_scopes
from shared.keys import KeyKind, Scope, is_key
from shared.sources import RateLimit, Source, SourceSettings
from shared.storage.access import (
    create_key,
    create_source,
    list_keys,
    list_sources,
    read_source,
    revoke_key,
    update_source,
)
from shared.storage.engine import open_engine
from shared.touchpoints import Channel

NOW: Instant = 1_800_000_000 * SECOND
LATER = NOW + SECOND
LAST = LATER + SECOND
PEPPER = b"pepper"


@pytest.fixture
async def connection(database_url: str) -> AsyncGenerator[AsyncConnection]:
    async with open_engine(database_url) as engine, engine.begin() as connection:
        yield connection


async def test_a_source_comes_back_as_it_was_made(connection: AsyncConnection) -> None:
    settings = {"types": ["order"], "rate_limit": {"per_second": 5}, "hooks": {"stripe": {}}}
    made = await create_source(connection, "shop", "in_store", settings, now=NOW)
    assert made.source.channel is Channel.IN_STORE
    assert made.source.settings.rate_limit == RateLimit(5.0, 5)
    assert await read_source(connection, "shop") == made
    assert await list_sources(connection) == [made]


async def test_a_name_is_taken_once(connection: AsyncConnection) -> None:
    await create_source(connection, "shop", "web", None, now=NOW)
    with pytest.raises(Conflict):
        await create_source(connection, "shop", "email", None, now=NOW)
    assert (await read_source(connection, "shop")).source == Source("shop", Channel.WEB)


async def test_a_change_leaves_what_it_does_not_name(connection: AsyncConnection) -> None:
    await create_source(connection, "shop", "web", {"historical": True}, now=NOW)
    await update_source(connection, "shop", settings={"phone_region": "DE"}, now=LATER)
    changed = await update_source(connection, "shop", channel="partner", now=LATER)
    settings = SourceSettings(historical=True, phone_region="DE")
    assert changed.source == Source("shop", Channel.PARTNER, settings)
    assert (changed.created_at, changed.updated_at) == (NOW, LATER)
    assert await read_source(connection, "shop") == changed


async def test_a_wrong_change_changes_nothing(connection: AsyncConnection) -> None:
    made = await create_source(connection, "shop", "web", None, now=NOW)
    with pytest.raises(Invalid):
        await update_source(connection, "shop", channel="tv", now=LATER)
    with pytest.raises(Invalid):
        await update_source(connection, "shop", settings={"links": "x"}, now=LATER)
    assert await read_source(connection, "shop") == made


@pytest.mark.parametrize("name", ["absent", "\0", "\ud800", "x" * 5_000])
async def test_a_source_that_is_not_there_is_not_found(
    connection: AsyncConnection, name: str
) -> None:
    with pytest.raises(NotFound):
        await read_source(connection, name)
    with pytest.raises(NotFound):
        await update_source(connection, name, now=NOW)
    with pytest.raises(Invalid):
        await create_key(connection, KeyRequest(source=name), pepper=PEPPER, now=NOW)


async def test_no_key_is_made_that_has_ended(connection: AsyncConnection) -> None:
    request = KeyRequest(scopes=parse_scopes(["admin"]), expires_at=NOW)
    with pytest.raises(Invalid, match="expires_at must lie in the future"):
        await create_key(connection, request, pepper=PEPPER, now=NOW)


async def test_a_key_is_told_once_and_listed_without_its_text(connection: AsyncConnection) -> None:
    await create_source(connection, "shop", "web", None, now=NOW)
    write = KeyRequest(name="Site", source="shop")
    secret = KeyRequest(scopes=parse_scopes(["admin", "customers:read"]), expires_at=LAST)
    first = await create_key(connection, write, pepper=PEPPER, now=NOW)
    second = await create_key(connection, secret, pepper=PEPPER, now=LATER)
    assert is_key(first.text)
    assert is_key(second.text)
    listed = await list_keys(connection)
    assert [(key.id, key.kind, key.name, key.source) for key in listed] == [
        (first.id, KeyKind.WRITE, "Site", "shop"),
        (second.id, KeyKind.SECRET, None, None),
    ]
    assert listed[1].scopes == {Scope.ADMIN, Scope.CUSTOMERS_READ}
    assert listed[1].expires_at == LAST
    assert first.text not in repr(listed)


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (KeyRequest(kind=KeyKind.WRITE), "source"),
        (KeyRequest(source="shop", scopes=frozenset({Scope.ADMIN})), "scopes"),
        (KeyRequest(kind=KeyKind.SECRET, source="shop"), "source"),
        (KeyRequest(), "scopes"),
        (KeyRequest(scopes=frozenset({Scope.ADMIN}), name="\0"), "name"),
        (KeyRequest(scopes=frozenset({Scope.ADMIN}), name="n" * 201), "name"),
    ],
)
async def test_an_unclear_request_for_a_key_is_refused(
    connection: AsyncConnection, request_: KeyRequest, path: str
) -> None:
    await create_source(connection, "shop", "web", None, now=NOW)
    with pytest.raises(Invalid) as refused:
        await create_key(connection, request_, pepper=PEPPER, now=NOW)
    assert [fault.path for fault in refused.value.faults] == [path]
    assert await list_keys(connection) == []


async def test_a_key_is_revoked_once_for_ever(connection: AsyncConnection) -> None:
    key = await create_key(
        connection, KeyRequest(scopes=frozenset({Scope.ADMIN})), pepper=PEPPER, now=NOW
    )
    assert (await revoke_key(connection, key.id, now=NOW)).revoked_at == NOW
    assert (await revoke_key(connection, key.id, now=LATER)).revoked_at == NOW


@pytest.mark.parametrize("key_id", ["AAAAAAAA", "", "\0", "\ud800"])
async def test_a_key_that_is_not_there_cannot_be_revoked(
    connection: AsyncConnection, key_id: str
) -> None:
    with pytest.raises(NotFound):
        await revoke_key(connection, key_id, now=NOW)


def test_scopes_that_do_not_exist_are_named() -> None:
    with pytest.raises(Invalid, match="root"):
        parse_scopes(["admin", "root"])
