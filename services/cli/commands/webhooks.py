"""``journeyline webhooks``: who is told of events, and what became of what they were told."""

from typing import Annotated
from urllib.parse import quote

import msgspec
import typer
from rich.box import SIMPLE
from rich.table import Table

from services.cli.connection import DEFAULT_DATA, Data, Key, Refused, Url, ask, connect, find_target
from services.cli.tables import plain, print_table
from shared.touchpoints import JsonObject

app = typer.Typer(
    help="Make, change, test and watch endpoints that are told of events.", no_args_is_help=True
)

WebhookId = Annotated[str, typer.Argument(help="the endpoint's id, as `webhooks list` shows it")]
Events = Annotated[
    list[str] | None,
    typer.Option("--event", help="such as journey.transition; repeatable; all if none is given"),
]
MaxAge = Annotated[
    str | None,
    typer.Option("--max-age", help="leave out moves told later than this: PT24H, or seconds"),
]


class Endpoint(msgspec.Struct):
    """A line of the list."""

    id: str
    url: str
    events: list[str]
    max_age: int
    status: str
    failures: int
    disabled_reason: str | None = None
    paused_until: str | None = None


class Endpoints(msgspec.Struct):
    """What ``GET /v1/webhooks`` answers."""

    items: list[Endpoint]


class Delivery(msgspec.Struct):
    """A message to an endpoint, and how that went."""

    id: str
    webhook_id: str
    type: str
    status: str
    attempts: int
    created_at: str
    response_status: int | None = None
    error: str | None = None
    next_attempt_at: str | None = None


class DeliveryPage(msgspec.Struct):
    """What ``GET /v1/webhooks/{id}/deliveries`` answers."""

    items: list[Delivery]
    next: str | None = None


@app.command("list")
def list_endpoints(url: Url = None, key: Key = None, data: Data = DEFAULT_DATA) -> None:
    """List all endpoints, without their secrets."""
    with connect(find_target(url, key, data)) as client:
        found = msgspec.convert(ask(client, "GET", "/v1/webhooks"), Endpoints)
    header = ("id", "address", "events", "max age", "status", "failures")
    table = Table(*header, box=SIMPLE)
    for one in found.items:
        status = one.disabled_reason or (one.paused_until and f"waits until {one.paused_until}")
        shown = f"{one.status}: {status}" if status else one.status
        cells = (one.id, one.url, ", ".join(one.events), f"{one.max_age} s", shown)
        table.add_row(*map(plain, (*cells, str(one.failures))))
    print_table(table)


@app.command("create")
def create_endpoint(
    address: Annotated[str, typer.Argument(help="where to send to: https, and public")],
    *,
    event: Events = None,
    max_age: MaxAge = None,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Make an endpoint and print its id and, this once, its secret."""
    body: JsonObject = {"url": address, "events": event or None, "max_age": _age(max_age)}
    given = {name: value for name, value in body.items() if value is not None}
    with connect(find_target(url, key, data)) as client:
        made = ask(client, "POST", "/v1/webhooks", json=given)
    typer.echo(f"id      {made['id']}\nsecret  {made['secret']}")


@app.command("update")
def update_endpoint(
    webhook_id: WebhookId,
    *,
    address: Annotated[str | None, typer.Option("--address", help="the new one")] = None,
    event: Events = None,
    max_age: MaxAge = None,
    status: Annotated[str | None, typer.Option("--status", help="active or disabled")] = None,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Change an endpoint; one that was disabled goes on where it stopped once it is active."""
    body: JsonObject = {"url": address, "events": event or None, "max_age": _age(max_age)}
    body["status"] = status
    given = {name: value for name, value in body.items() if value is not None}
    if not given:
        raise typer.BadParameter("say what to change: --address, --event, --max-age or --status")
    with connect(find_target(url, key, data)) as client:
        changed = ask(client, "PATCH", _path(webhook_id), json=given)
    typer.echo(f"webhook {webhook_id} is changed, and {changed['status']}")


@app.command("delete")
def delete_endpoint(
    webhook_id: WebhookId, url: Url = None, key: Key = None, data: Data = DEFAULT_DATA
) -> None:
    """Delete an endpoint; what was still to be sent to it is not sent."""
    with connect(find_target(url, key, data)) as client:
        ask(client, "DELETE", _path(webhook_id))
    typer.echo(f"webhook {webhook_id} is deleted")


@app.command("rotate")
def rotate_secret(
    webhook_id: WebhookId, url: Url = None, key: Key = None, data: Data = DEFAULT_DATA
) -> None:
    """Print a new secret, this once; the one before signs beside it for 24 hours."""
    with connect(find_target(url, key, data)) as client:
        answer = ask(client, "POST", _path(webhook_id, "rotate"))
    typer.echo(f"secret  {answer['secret']}")


@app.command("test")
def try_endpoint(
    webhook_id: WebhookId, url: Url = None, key: Key = None, data: Data = DEFAULT_DATA
) -> None:
    """Send one message to an endpoint now, and fail unless it was taken."""
    with connect(find_target(url, key, data)) as client:
        sent = msgspec.convert(ask(client, "POST", _path(webhook_id, "test")), Delivery)
    if sent.status != "delivered":
        raise Refused(f"the message was not taken: {sent.error or f'{sent.response_status}'}")
    typer.echo(f"the message was taken: {sent.response_status}")


@app.command("deliveries")
def list_deliveries(
    webhook_id: WebhookId,
    *,
    status: Annotated[
        str | None, typer.Option("--status", help="pending, delivered or failed")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500)] = 20,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """List what an endpoint was told, or has to be, the newest first."""
    params: JsonObject = {"limit": limit} if status is None else {"limit": limit, "status": status}
    with connect(find_target(url, key, data)) as client:
        answer = ask(client, "GET", _path(webhook_id, "deliveries"), params=params)
    page = msgspec.convert(answer, DeliveryPage)
    header = ("id", "made", "type", "message", "status", "attempts", "answer", "next attempt")
    table = Table(*header, box=SIMPLE)
    for one in page.items:
        answered = one.error or str(one.response_status or "-")
        cells = (one.id, one.created_at, one.type, one.webhook_id, one.status, str(one.attempts))
        table.add_row(*map(plain, (*cells, answered, one.next_attempt_at or "-")))
    print_table(table)
    if page.next is not None:
        typer.echo(f"there are more than these {limit}: --limit shows up to 500")


@app.command("redeliver")
def redeliver(
    webhook_id: WebhookId,
    delivery_id: Annotated[str, typer.Argument(help="as `webhooks deliveries` shows it")],
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Send a message again, under the same id, as if it had never been tried."""
    path = _path(webhook_id, "deliveries", delivery_id, "redeliver")
    with connect(find_target(url, key, data)) as client:
        ask(client, "POST", path)
    typer.echo(f"delivery {delivery_id} is sent again")


def _path(*segments: str) -> str:
    return "/".join(("/v1/webhooks", *(quote(segment, safe="") for segment in segments)))


def _age(text: str | None) -> int | str | None:
    """Return seconds as a number, and a duration as it is."""
    return int(text) if text is not None and text.isascii() and text.isdigit() else text
