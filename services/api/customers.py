"""The document of one customer, from rows."""

from collections.abc import Iterable
from typing import Final

import asyncpg

from services.api.journeys import present_journey
from services.api.link_documents import bar_document, link_document
from services.api.moments import moment_text
from services.api.readers.customers import CustomerHead, read_identifiers
from services.api.readers.links import read_bars, read_links
from services.api.readers.referrals import read_referrals, read_referrers
from services.api.referrals import referral_documents, referrer_documents
from services.api.resources import Resources
from shared.instants import Instant, rfc3339
from shared.profiles import Contact, Profile
from shared.touchpoints import JsonObject

JOURNEY_MEMBERS: Final = ("stage", "activity", "cycle", "peak_stage", "next", "model", "version")
"""What of a journey stands in the customer's own document."""


async def present_customer(
    connection: asyncpg.Connection, resources: Resources, head: CustomerHead, as_of: Instant | None
) -> JsonObject:
    """Read everything that is known of the customer *head*, with the journey at *as_of*."""
    journey = await present_journey(connection, resources, head, as_of)
    identifiers = await read_identifiers(connection, head.identifier_ids)
    links = await read_links(connection, head.identifier_ids)
    bars = await read_bars(connection, head.identifier_ids)
    referrers = await read_referrers(connection, head.customer_id)
    referrals = await read_referrals(connection, head.customer_id)
    return {
        **customer_document(head, identifiers, links, bars, journey),
        "referred_by": referrer_documents(referrers),
        "referrals": referral_documents(referrals),
    }


def customer_document(
    head: CustomerHead,
    identifiers: Iterable[asyncpg.Record],
    links: Iterable[asyncpg.Record],
    bars: Iterable[asyncpg.Record],
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
    joined = [row for row in known if not row["refused"]]
    refused = [row for row in known if row["refused"]]
    return {
        "customer_id": str(head.customer_id),
        "identifiers": [_identifier(row) for row in identifiers],
        **profile_members(head.profile),
        "journey": {name: journey[name] for name in JOURNEY_MEMBERS},
        "links": [link_document(row) for row in joined],
        "links_total": joined[0]["total"] if joined else 0,
        "conflicts": [link_document(row) for row in refused],
        "conflicts_total": refused[0]["total"] if refused else 0,
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


def _identifier(row: asyncpg.Record) -> JsonObject:
    return {
        "kind": row["kind"],
        "value": row["value"],
        "first_seen_at": moment_text(row["first_seen_at"]),
        "last_seen_at": moment_text(row["last_seen_at"]),
    }
