"""Whose touchpoint it is: the identifiers an item names, normalised and without blocked ones."""

from functools import lru_cache

from shared.acceptance.faults import Findings
from shared.acceptance.reasons import Flag, Reason
from shared.acceptance.terms import Terms
from shared.identity.identifiers import KIND_PATTERN, LONGEST_VALUE
from shared.identity.normalisation import normalise
from shared.touchpoints import Identifier, JsonObject


def identifiers_in(customer: JsonObject, terms: Terms, found: Findings) -> list[Identifier]:
    """Return the identifiers in *customer*, the primary one first, the others by trust.

    There are none of them only if a fault of the customer is noted.

    Args:
        customer: Strings, integers and nulls by kind; values of other types have been noted.
        terms: Give the policy, and the region of phone numbers.
        found: Takes faults and flags.
    """
    named = _named(customer, terms, found)
    policy = terms.policy
    kept = [identifier for identifier in named if not policy.blocks(identifier)]
    if len(kept) < len(named):
        found.flag(Flag.BLOCKED_IDENTIFIER)
    if not kept and not found.blames("customer"):
        _note_none(found, blocked=bool(named))
    if len(kept) > 1:
        kept.sort(key=policy.trust)
    return kept


def _named(customer: JsonObject, terms: Terms, found: Findings) -> list[Identifier]:
    region = terms.source.settings.phone_region
    named = []
    for kind, given in customer.items():
        value = given.strip() if isinstance(given, str) else _digits(given)
        if not value:
            continue
        normalised, flags = normalise(kind, value, phone_region=region)
        for flag in flags:
            found.flag(flag)
        if len(value) > LONGEST_VALUE or len(normalised) > LONGEST_VALUE:
            message = f"must have at most {LONGEST_VALUE} characters"
            found.fault(f"customer.{kind}", Reason.TOO_LONG, message)
        if not _is_kind(kind):
            message = "must be named by lower-case letters, digits and _, at most 32"
            found.fault(f"customer.{kind}", Reason.INVALID_VALUE, message)
        named.append(Identifier(kind, normalised))
    return named


def _digits(value: object) -> str:
    return str(value) if isinstance(value, int) else ""


@lru_cache
def _is_kind(name: str) -> bool:
    return KIND_PATTERN.fullmatch(name) is not None


def _note_none(found: Findings, *, blocked: bool) -> None:
    if blocked:
        message = "must name the customer by more than placeholders, which are blocked"
        found.fault("customer", Reason.BLOCKED_IDENTIFIER, message)
    else:
        found.fault("customer", Reason.REQUIRED, "must have an identifier that is not empty")
