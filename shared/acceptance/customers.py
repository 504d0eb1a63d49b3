"""Whose touchpoint it is: the identifiers an item names, normalised and without blocked ones."""

from functools import lru_cache

from shared.acceptance.faults import Findings
from shared.acceptance.reasons import Flag, Reason
from shared.acceptance.terms import Terms
from shared.identity.identifiers import KIND_PATTERN, LONGEST_VALUE
from shared.identity.normalisation import WITH_SPELLING, normalise
from shared.touchpoints import JsonObject


def identifiers_in(customer: JsonObject, terms: Terms, found: Findings) -> tuple[str, ...]:
    """Return the identifiers in *customer* as ``kind:value``, the primary one first, then by trust.

    There are none of them only if a fault of the customer is noted.

    Args:
        customer: Strings, integers and nulls by kind; values of other types have been noted.
        terms: Give the policy, and the region of phone numbers.
        found: Takes faults and flags.
    """
    policy = terms.policy
    ranked = []
    named = 0
    for kind, given in customer.items():
        value = given.strip() if isinstance(given, str) else _digits(given)
        if not value:
            continue
        named += 1
        if kind in WITH_SPELLING or len(value) > LONGEST_VALUE or not _is_kind(kind):
            value = _normalised(kind, value, terms, found)
        rank = policy.rank_unless_blocked(kind, value)
        if rank is not None:
            ranked.append((rank, value, f"{kind}:{value}"))
    if len(ranked) < named:
        found.flag(Flag.BLOCKED_IDENTIFIER)
    if not ranked and not found.blames("customer"):
        _note_none(found, blocked=named > 0)
    if len(ranked) > 1:
        ranked.sort()
    return tuple([written for _, _, written in ranked])


def _normalised(kind: str, value: str, terms: Terms, found: Findings) -> str:
    """Return *value* in its one spelling, and note what is wrong with it or with its kind."""
    normalised, flags = normalise(kind, value, phone_region=terms.source.settings.phone_region)
    for flag in flags:
        found.flag(flag)
    if len(value) > LONGEST_VALUE or len(normalised) > LONGEST_VALUE:
        message = f"must have at most {LONGEST_VALUE} characters"
        found.fault(f"customer.{kind}", Reason.TOO_LONG, message)
    if not _is_kind(kind):
        message = "must be named by lower-case letters, digits and _, at most 32"
        found.fault(f"customer.{kind}", Reason.INVALID_VALUE, message)
    return normalised


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
