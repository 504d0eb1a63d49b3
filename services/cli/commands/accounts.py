"""``journeyline keys`` and ``journeyline sources``: over HTTP, or in the database itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

import msgspec
import typer
from rich.box import SIMPLE
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from services.cli.connection import DEFAULT_DATA, Data, Key, Target, Url, ask, connect, find_target
from services.cli.tables import plain, print_table
from shared.clock import wall_clock
from shared.errors import Fault, Invalid, SetupError
from shared.instants import Instant, parse_rfc3339, rfc3339
from shared.key_requests import KeyRequest, parse_scopes
from shared.storage import access
from shared.storage.access_acts import record_key_act, record_source_act
from shared.storage.engine import open_engine
from shared.touchpoints import JsonObject, JsonValue

keys = typer.Typer(help="Create, list and revoke keys.", no_args_is_help=True)
sources = typer.Typer(help="Create, list and change sources.", no_args_is_help=True)

_Answer = TypeVar("_Answer")

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url", envvar="DATABASE_URL", help="work in the database, without a system"
    ),
]
Pepper = Annotated[
    str | None,
    typer.Option("--pepper", envvar="KEY_PEPPER", help="with --database-url: the deployment's"),
]
Settings = Annotated[str | None, typer.Option("--settings", help="a JSON object")]
Channel = Annotated[str, typer.Option("--channel", help="of touchpoints that name none")]
NOTHING: Final = "-"
COMMAND: Final = "command"
"""Who acts in the database itself, as the audit names them."""


@keys.command("create")
def create_key(
    *,
    name: Annotated[str | None, typer.Option("--name", help="to recognise it by")] = None,
    source: Annotated[str | None, typer.Option("--source", help="makes a write key")] = None,
    scope: Annotated[list[str] | None, typer.Option("--scope", help="makes a secret key")] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", help="when it ends, such as 2027-01-31T00:00:00Z")
    ] = None,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    database_url: DatabaseUrl = None,
    pepper: Pepper = None,
) -> None:
    """Make a key and print its id and, this once, the key."""
    scopes = parse_scopes(scope or ())
    ends = None if expires is None else _moment(expires)
    wanted = KeyRequest(name=name, source=source, scopes=scopes, expires_at=ends)
    kind = wanted.checked_kind()
    if database_url is not None:
        secret = _pepper(pepper)

        async def create(connection: AsyncConnection) -> tuple[str, str]:
            now = wall_clock()
            minted = await access.create_key(connection, wanted, pepper=secret, now=now)
            await record_key_act(connection, COMMAND, "key.made", minted.id, now=now)
            return minted.id, minted.text

        made, text = _in_database(database_url, create)
    else:
        body = {"kind": kind.value, "name": name, "source": source, "scopes": sorted(scopes)}
        body |= {"expires_at": None if ends is None else rfc3339(ends)}
        answer = _ask(
            find_target(url, key, data), "POST", "/v1/keys", {k: v for k, v in body.items() if v}
        )
        made, text = str(answer["id"]), str(answer["key"])
    typer.echo(f"id   {made}\nkey  {text}")


@keys.command("list")
def list_keys(
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    database_url: DatabaseUrl = None,
) -> None:
    """List all keys, without the keys themselves."""
    if database_url is not None:
        stored = _in_database(database_url, access.list_keys)
        rows = [
            [
                one.id,
                one.kind.value,
                one.name,
                one.source or ", ".join(sorted(one.scopes)),
                *(
                    None if moment is None else rfc3339(moment)
                    for moment in (one.last_used_at, one.expires_at, one.revoked_at)
                ),
            ]
            for one in stored
        ]
    else:
        answer = _ask(find_target(url, key, data), "GET", "/v1/keys")
        rows = [_key_row(item) for item in _items(answer)]
    _print(("id", "kind", "name", "source or scopes", "last used", "ends", "revoked"), rows)


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="the key's id")],
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    database_url: DatabaseUrl = None,
) -> None:
    """Revoke a key for ever; it stops working everywhere within 30 seconds."""
    if database_url is not None:

        async def revoke(connection: AsyncConnection) -> None:
            now = wall_clock()
            await access.revoke_key(connection, key_id, now=now)
            await record_key_act(connection, COMMAND, "key.revoked", key_id, now=now)

        _in_database(database_url, revoke)
    else:
        _ask(find_target(url, key, data), "DELETE", f"/v1/keys/{key_id}")
    typer.echo(f"{key_id} is revoked; it stops working everywhere within 30 seconds")


@keys.command("rotate")
def rotate_key(
    key_id: Annotated[str, typer.Argument(help="the key's id")],
    *,
    overlap_hours: Annotated[
        float, typer.Option("--overlap-hours", min=0, help="how long the old one works on")
    ] = 24,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Make a key with the same rights and print it, this once; the old one ends a day later."""
    body: JsonObject = {"overlap_hours": overlap_hours}
    answer = _ask(find_target(url, key, data), "POST", f"/v1/keys/{key_id}/rotate", body)
    typer.echo(f"id   {answer['id']}\nkey  {answer['key']}")


@sources.command("create")
def create_source(
    name: Annotated[str, typer.Argument(help="lower case letters, digits, and . _ -")],
    channel: Channel,
    *,
    settings: Settings = None,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    database_url: DatabaseUrl = None,
) -> None:
    """Make a source."""
    document = _document(settings)
    if database_url is not None:

        async def create(connection: AsyncConnection) -> None:
            now = wall_clock()
            await access.create_source(connection, name, channel, document, now=now)
            await _record(connection, "source.made", name, document, now)

        _in_database(database_url, create)
    else:
        body = {"name": name, "channel": channel, "settings": document or {}}
        _ask(find_target(url, key, data), "POST", "/v1/sources", body)
    typer.echo(f"source {name} is made; `journeyline keys create --source {name}` gives it a key")


@sources.command("list")
def list_sources(
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    database_url: DatabaseUrl = None,
) -> None:
    """List all sources."""
    if database_url is not None:
        stored = _in_database(database_url, access.list_sources)
        rows = [[one.source.name, one.source.channel.value] for one in stored]
    else:
        answer = _ask(find_target(url, key, data), "GET", "/v1/sources")
        rows = [[str(item["name"]), str(item["channel"])] for item in _items(answer)]
    _print(("name", "channel"), rows)


@sources.command("update")
def update_source(
    name: Annotated[str, typer.Argument(help="the source's name")],
    *,
    channel: Annotated[str | None, typer.Option("--channel", help="the new one")] = None,
    settings: Settings = None,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    database_url: DatabaseUrl = None,
) -> None:
    """Change a source; settings that are null get their defaults back."""
    document = _document(settings)
    if database_url is not None:

        async def change(connection: AsyncConnection) -> None:
            now = wall_clock()
            await access.update_source(
                connection, name, channel=channel, settings=document, now=now
            )
            await _record(connection, "source.changed", name, document, now)

        _in_database(database_url, change)
    else:
        body = {"channel": channel, "settings": document}
        given = {member: value for member, value in body.items() if value is not None}
        _ask(find_target(url, key, data), "PATCH", f"/v1/sources/{name}", given)
    typer.echo(f"source {name} is changed")


async def _record(
    connection: AsyncConnection, action: str, name: str, document: JsonValue, now: Instant
) -> None:
    settings = document if isinstance(document, dict) else {}
    await record_source_act(connection, COMMAND, action, name, now=now, settings=settings)


def _ask(target: Target, method: str, path: str, body: JsonObject | None = None) -> JsonObject:
    with connect(target) as client:
        return ask(client, method, path, json=body)


def _in_database(
    database_url: str, work: Callable[[AsyncConnection], Awaitable[_Answer]]
) -> _Answer:
    async def run() -> _Answer:
        async with open_engine(database_url, pool_size=1) as engine, engine.begin() as connection:
            return await work(connection)

    try:
        return asyncio.run(run())
    except OSError as error:
        raise SetupError(f"the database cannot be reached: {error}") from error


def _pepper(text: str | None) -> bytes:
    if not text:
        raise SetupError("--database-url needs the deployment's pepper: --pepper or KEY_PEPPER")
    return text.encode()


def _moment(text: str) -> Instant:
    try:
        return parse_rfc3339(text)
    except ValueError as error:
        fault = Fault("expires", "invalid_time", str(error))
        raise Invalid(f"--expires {error}", faults=[fault]) from error


def _document(settings: str | None) -> JsonValue:
    if settings is None:
        return None
    try:
        return msgspec.json.decode(settings)
    except msgspec.DecodeError as error:
        fault = Fault("settings", "bad_json", f"must be a JSON object: {error}")
        raise Invalid("--settings cannot be read", faults=[fault]) from error


def _items(answer: JsonObject) -> list[JsonObject]:
    return msgspec.convert(answer["items"], list[JsonObject])


def _key_row(item: JsonObject) -> list[str | None]:
    scopes = msgspec.convert(item.get("scopes") or [], list[str])
    cells = [item["id"], item["kind"], item.get("name"), item.get("source") or ", ".join(scopes)]
    cells += [item.get(name) for name in ("last_used_at", "expires_at", "revoked_at")]
    return [None if cell is None else str(cell) for cell in cells]


def _print(header: tuple[str, ...], rows: list[list[str | None]] | list[list[str]]) -> None:
    table = Table(box=SIMPLE)
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(plain(cell or NOTHING) for cell in row))
    print_table(table)
