"""Referrals: who sent somebody, as a touchpoint says it; an edge between people, never a link."""

from typing import Final

from shared.errors import Unreadable
from shared.identity.identifiers import parse_ref
from shared.touchpoints import Identifier, JsonObject

REFERRED_BY: Final = "referred_by"
"""The property that names the referrer, as ``kind:value``."""


def referrer_in(properties: JsonObject) -> Identifier | None:
    """Return whom a touchpoint's *properties* name as the referrer, normalised as ingest does it.

    None where they name nobody, or in a way that is no ``kind:value``.
    """
    named = properties.get(REFERRED_BY)
    if not isinstance(named, str):
        return None
    try:
        referrer = parse_ref(named)
    except Unreadable:
        return None
    return referrer if isinstance(referrer, Identifier) else None
