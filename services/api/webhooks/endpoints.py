"""Endpoints: where webhooks go, for which events, and whether they may go there at all."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final, Literal, TypeAlias
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

import asyncpg

from services.api.moments import moment_text, optional_moment_text
from services.api.webhooks.addresses import AddressRefused, public_addresses, resolve
from shared.errors import Fault, Invalid, NotFound
from shared.instants import SECOND, Instant, Micros, datetime_of
from shared.touchpoints import JsonObject

EndpointStatus: TypeAlias = Literal["active", "disabled"]
LONGEST_URL: Final = 2_000

_PORTS: Final = {"https": 443, "http": 80}
_INSERT: Final = """
INSERT INTO webhooks (id, url, events, max_age, position, created_at)
SELECT $1, $2, $3, $4, published, $5 FROM feed
RETURNING *
"""
_LIST: Final = "SELECT * FROM webhooks ORDER BY created_at, id"
_ONE: Final = "SELECT * FROM webhooks WHERE id = $1"
_DELETE: Final = "DELETE FROM webhooks WHERE id = $1"
_ROTATE: Final = """
UPDATE webhooks SET rotated_at = rotated_at || $2::timestamptz WHERE id = $1
RETURNING cardinality(rotated_at)
"""


_CHANGE: Final = """
UPDATE webhooks
   SET url = coalesce($2, url), events = coalesce($3, events), max_age = coalesce($4, max_age),
       status = coalesce($5, status),
       disabled_reason = CASE coalesce($5, status)
           WHEN 'disabled' THEN coalesce(disabled_reason, $6) END,
       failures = CASE WHEN $2 IS NULL AND $5 IS NULL THEN failures ELSE 0 END,
       paused_until = CASE WHEN $2 IS NULL AND $5 IS NULL THEN paused_until END
 WHERE id = $1
RETURNING *
"""
_BY_HAND: Final = "disabled by hand"


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """An endpoint to make; moves decided more than ``max_age`` after they happened are left out."""

    url: str
    events: Sequence[str]
    max_age: Micros


async def require_reachable(url: str, *, allow_private: bool) -> None:
    """Refuse an address that webhooks may not be sent to.

    Raises:
        Invalid: it is not https, names no host, or leads into a private network.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _refused(f"is no address: {error}") from None
    if fault := _fault_of(url, parts, allow_private=allow_private):
        raise _refused(fault)
    look_up = resolve if allow_private else public_addresses
    try:
        await look_up(host or "", port or _PORTS[parts.scheme])
    except AddressRefused as error:
        raise _refused(str(error)) from None


def _fault_of(url: str, parts: SplitResult, *, allow_private: bool) -> str | None:
    if not url.isascii() or any(character <= " " for character in url) or len(url) > LONGEST_URL:
        return f"must be at most {LONGEST_URL:,} ASCII characters without white space"
    if parts.scheme not in _PORTS or (parts.scheme == "http" and not allow_private):
        return "must be an https:// address"
    if not parts.hostname:
        return "must name a host"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user name or password: the signature says who sends"
    return None


def _refused(message: str) -> Invalid:
    fault = Fault("url", "url_refused", f"url {message}")
    return Invalid(fault.message, code="url_refused", faults=[fault])


async def create_endpoint(
    connection: asyncpg.Connection, webhook_id: UUID, new: NewEndpoint, now: Instant
) -> asyncpg.Record:
    """Make an endpoint, which is told of what is published from now on."""
    return await connection.fetchrow(
        _INSERT, webhook_id, new.url, new.events, new.max_age // SECOND, datetime_of(now)
    )


async def list_endpoints(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """Return all endpoints in the order they were made."""
    rows: list[asyncpg.Record] = await connection.fetch(_LIST)
    return rows


async def read_endpoint(connection: asyncpg.Connection, webhook_id: UUID) -> asyncpg.Record:
    """Return one endpoint.

    Raises:
        NotFound: there is none with that id.
    """
    row = await connection.fetchrow(_ONE, webhook_id)
    if row is None:
        raise no_such_webhook()
    return row


@dataclass(frozen=True, slots=True)
class EndpointChange:
    """What becomes different about an endpoint; None stays as it is."""

    url: str | None = None
    events: Sequence[str] | None = None
    max_age: Micros | None = None
    status: EndpointStatus | None = None

    @property
    def names(self) -> list[str]:
        """The names of what changes."""
        return [field.name for field in fields(self) if getattr(self, field.name) is not None]


async def change_endpoint(
    connection: asyncpg.Connection, webhook_id: UUID, change: EndpointChange
) -> asyncpg.Record:
    """Change an endpoint; another address, or being put in force again, forgives its failures.

    Raises:
        NotFound: there is none with that id.
    """
    seconds = None if change.max_age is None else change.max_age // SECOND
    row = await connection.fetchrow(
        _CHANGE, webhook_id, change.url, change.events, seconds, change.status, _BY_HAND
    )
    if row is None:
        raise no_such_webhook()
    return row


async def delete_endpoint(connection: asyncpg.Connection, webhook_id: UUID) -> None:
    """Delete an endpoint and all deliveries to it.

    Raises:
        NotFound: there is none with that id.
    """
    if await connection.execute(_DELETE, webhook_id) == "DELETE 0":
        raise no_such_webhook()


async def rotate_secret(connection: asyncpg.Connection, webhook_id: UUID, now: Instant) -> int:
    """Let the next secret take the place of the present one, and return its generation.

    Raises:
        NotFound: there is no endpoint with that id.
    """
    generation: int | None = await connection.fetchval(_ROTATE, webhook_id, datetime_of(now))
    if generation is None:
        raise no_such_webhook()
    return generation


def no_such_webhook() -> NotFound:
    """Return the error for an id that no endpoint has."""
    return NotFound("no webhook has that id")


def endpoint_document(row: asyncpg.Record) -> JsonObject:
    """Return an endpoint as answers carry it, its secret apart."""
    return {
        "id": str(row["id"]),
        "url": row["url"],
        "events": row["events"],
        "max_age": row["max_age"],
        "status": row["status"],
        "disabled_reason": row["disabled_reason"],
        "failures": row["failures"],
        "paused_until": optional_moment_text(row["paused_until"]),
        "created_at": moment_text(row["created_at"]),
    }
