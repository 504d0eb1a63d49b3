"""The documents of customers, from rows."""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

import asyncpg

from services.api.freshness import Freshness, freshness
from services.api.journeys import moment_of, present_journey
from services.api.link_documents import bar_document, link_document
from services.api.moments import moment_text
from services.api.readers.customers import CustomerHead, IdentifierRow
from services.api.readers.journeys import CachedJourney, continued_journey
from services.api.readers.links import BarRow, LinkRow
from services.api.readers.receipts import Verdict
from services.api.readers.referrals import read_referrals, read_referrers
from services.api.readers.whole_customers import Found, WholeCustomer, read_whole_customers
from services.api.referrals import referral_documents, referrer_documents
from services.api.resources import Resources
from shared.errors import NotFound
from shared.instants import Instant, rfc3339
from shared.profiles import Contact, Profile
from shared.storage.watermark import load_watermark
from shared.touchpoints import Identifier, JsonObject

JOURNEY_MEMBERS: Final = ("stage", "activity", "cycle", "peak_stage", "next", "model", "version")
"""What of a journey stands in the customer's own document."""


async def present_customers(
    resources: Resources,
    references: Sequence[Identifier | UUID],
    verdict: Verdict | None = None,
) -> tuple[list[JsonObject | NotFound], Freshness]:
    """Return the documents of the customers *references*, in their order, as of one moment.

    They take one round trip, as long as every journey can be continued from what is cached and no
    referrals have to be followed; if not, all of it is read again, in one transaction.

    Args:
        resources: Of the API.
        references: One, or some.
        verdict: Of a touchpoint that was waited for.
    """
    databases, current = resources.databases, verdict is not None
    async with databases.asking(current=current) as connection:
        found = await read_whole_customers(connection, references)
        fresh, as_of = await _moment(connection, resources, found, verdict)
        documents = [await _at_hand(connection, resources, each, as_of) for each in found]
    if None not in documents:
        return [each for each in documents if each is not None], fresh
    async with databases.reading(current=current) as connection:
        found = await read_whole_customers(connection, references)
        fresh, as_of = await _moment(connection, resources, found, verdict)
        return [await _in_full(connection, resources, each, as_of) for each in found], fresh


async def _moment(
    connection: asyncpg.Connection,
    resources: Resources,
    found: Iterable[Found],
    verdict: Verdict | None,
) -> tuple[Freshness, Instant | None]:
    """Return how fresh an answer about *found* is, and the moment that its journeys are of."""
    heads = [each.head for each in found if isinstance(each, WholeCustomer)]
    watermark = heads[0].watermark if heads else await load_watermark(connection)
    now = resources.clock()
    fresh = freshness(now, watermark)
    return fresh, moment_of(fresh, verdict, now)


async def _at_hand(
    connection: asyncpg.Connection, resources: Resources, found: Found, as_of: Instant | None
) -> JsonObject | NotFound | None:
    """Return the document of *found* without reading more of it; None if that is not enough."""
    if isinstance(found, NotFound):
        return found
    if found.is_referred or found.state is None:
        return None
    program = await resources.programs.load(connection, found.head.model)
    cached = CachedJourney(found.state, ())
    journey = continued_journey(program, cached, found.head.customer_id, as_of)
    return None if journey is None else _document(found, journey, [], [])


async def _in_full(
    connection: asyncpg.Connection, resources: Resources, found: Found, as_of: Instant | None
) -> JsonObject | NotFound:
    """Return the document of *found*, with what else is to be read for it."""
    if isinstance(found, NotFound):
        return found
    journey = await present_journey(connection, resources, found.head, as_of)
    if not found.is_referred:
        return _document(found, journey, [], [])
    referrers = await read_referrers(connection, found.head.customer_id)
    referrals = await read_referrals(connection, found.head.customer_id)
    return _document(found, journey, referrer_documents(referrers), referral_documents(referrals))


def _document(
    found: WholeCustomer,
    journey: JsonObject,
    referrers: Sequence[JsonObject],
    referrals: Sequence[JsonObject],
) -> JsonObject:
    return {
        **customer_document(found.head, found.identifiers, found.links, found.bars, journey),
        "referred_by": [*referrers],
        "referrals": [*referrals],
    }


def customer_document(
    head: CustomerHead,
    identifiers: Iterable[IdentifierRow],
    links: Iterable[LinkRow],
    bars: Iterable[BarRow],
    journey: JsonObject,
) -> JsonObject:
    """Return the customer as answers carry it, freshness apart.

    Args:
        head: The customer.
        identifiers: Rows of all its identifiers.
        links: Rows of all links at them; the refused ones are its conflicts.
        bars: Rows of all bars in force at them.
        journey: The customer's whole journey.
    """
    known = list(links)
    joined = [row for row in known if not row.refused]
    refused = [row for row in known if row.refused]
    return {
        "customer_id": str(head.customer_id),
        "identifiers": [_identifier(row) for row in identifiers],
        **profile_members(head.profile),
        "journey": {name: journey[name] for name in JOURNEY_MEMBERS},
        "links": [link_document(row) for row in joined],
        "links_total": joined[0].total if joined else 0,
        "conflicts": [link_document(row) for row in refused],
        "conflicts_total": refused[0].total if refused else 0,
        "bars": [bar_document(row) for row in bars],
    }


def profile_members(stored: str | None) -> JsonObject:
    """Return what a cached profile says; of a customer without touchpoints, nothing."""
    if stored is None:
        nothing: JsonObject = {"total": 0, "by_channel": {}}
        return {"traits": {}, "first_touch": None, "last_touch": None, "touchpoints": nothing}
    profile = Profile.decode(stored)
    return {
        "traits": profile.present_traits(),
        "first_touch": _contact(profile.first),
        "last_touch": _contact(profile.last),
        "touchpoints": {"total": profile.total, "by_channel": profile.by_channel},
    }


def _contact(contact: Contact) -> JsonObject:
    return {
        "at": rfc3339(contact.at),
        "channel": contact.channel,
        "type": contact.type,
        "source": contact.source,
        "event_id": contact.event_id,
    }


def _identifier(row: IdentifierRow) -> JsonObject:
    return {
        "kind": row.kind,
        "value": row.value,
        "first_seen_at": moment_text(row.first_seen_at),
        "last_seen_at": moment_text(row.last_seen_at),
    }
