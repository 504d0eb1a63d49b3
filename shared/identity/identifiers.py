"""Identifiers as names of customers: their ids, references to them, and which one leads."""

import re
from collections.abc import Iterable
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from shared.errors import Unreadable
from shared.identity.normalisation import normalise
from shared.identity.policy import Policy
from shared.touchpoints import Identifier

KIND_PATTERN: Final = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
LONGEST_VALUE: Final = 200
"""Characters of an identifier's value after trimming."""

_NAMESPACE: Final = uuid5(NAMESPACE_URL, "urn:journeyline:identifier")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_NOT_TEXT: Final = re.compile("[\x00\ud800-\udfff]")


def identifier_id(identifier: Identifier) -> UUID:
    """Return the id of *identifier*, which is a customer's if it is the customer's canonical one.

    It is ``uuid5(uuid5(NAMESPACE_URL, "urn:journeyline:identifier"), "kind:value")``: the same
    everywhere and for ever.

    Raises:
        UnicodeEncodeError: The value holds a lone surrogate.
    """
    return uuid5(_NAMESPACE, f"{identifier.kind}:{identifier.value}")


def parse_ref(text: str, *, phone_region: str | None = None) -> Identifier | UUID:
    """Read a reference to a customer: a customer id, or ``kind:value``.

    The value is normalised as ingest does it, so that ``email:Ana@Example.com`` finds Ana.

    Args:
        text: The reference, with percent-encoding already taken away.
        phone_region: Where a phone number without a country code is from.

    Raises:
        Unreadable: *text* is neither; code ``bad_ref``.
    """
    if _UUID.fullmatch(text):
        return UUID(text)
    kind, colon, given = text.partition(":")
    if not colon or not KIND_PATTERN.fullmatch(kind):
        raise _bad_ref("must be a customer id (a UUID) or kind:value, such as user_id:u_42")
    if _NOT_TEXT.search(given):
        raise _bad_ref("has a value with a NUL or a lone surrogate, which no identifier has")
    if not 1 <= len(given.strip()) <= LONGEST_VALUE:
        raise _bad_ref(f"must have 1-{LONGEST_VALUE} characters after {kind}:")
    return Identifier(kind, normalise(kind, given, phone_region=phone_region).value)


def _bad_ref(wrong: str) -> Unreadable:
    return Unreadable(f"A customer reference {wrong}.", code="bad_ref")


def primary(identifiers: Iterable[Identifier], policy: Policy) -> Identifier:
    """Return the identifier a touchpoint belongs to: of the most trusted kind, then smallest.

    Raises:
        ValueError: There are no identifiers.
    """
    return min(identifiers, key=policy.trust)


def canonical(members: Iterable[Identifier], policy: Policy) -> Identifier:
    """Return the identifier a customer is called by: of the most trusted kind, then smallest.

    Raises:
        ValueError: There are no members.
    """
    return min(members, key=policy.trust)


def customer_id(members: Iterable[Identifier], policy: Policy) -> UUID:
    """Return the id of the customer who has *members*: that of the canonical one.

    Raises:
        ValueError: There are no members.
    """
    return identifier_id(canonical(members, policy))
