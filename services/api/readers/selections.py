"""Selections of customers as SQL, which names nothing but what is asked for.

A condition that holds where its value is NULL would hide from PostgreSQL which of them matter: it
could not plan for those, and would read every customer for a rare one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.api.readers.arguments import Arguments
from services.api.readers.personas import persona_condition
from shared.instants import Instant, datetime_of
from shared.journey.matchers import Matcher

_FROM: Final = """
  FROM {customers}
  LEFT JOIN journeys j ON j.customer_id = c.id AND j.model_id = {model}
 WHERE {conditions}
"""
_ALL: Final = "customers c"
# Few have a prefix: they are looked up one by one, however few of all a page would expect to read.
_KNOWN_BY: Final = """(
        SELECT DISTINCT customer_id FROM ({identifiers}) known) found
 CROSS JOIN LATERAL (SELECT * FROM customers WHERE id = found.customer_id OFFSET 0) c"""
_OF_A_KIND: Final = """
        SELECT customer_id FROM identifiers
         WHERE kind = {kind} AND value >= {prefix} AND value < {prefix} || U&'\\+10FFFF'"""
# Identifiers are in order by kind, then value; of kinds there are a few.
_OF_ANY_KIND: Final = """
        WITH RECURSIVE kinds (kind) AS (
             SELECT min(kind) FROM identifiers
             UNION ALL
             SELECT (SELECT min(further.kind) FROM identifiers further
                      WHERE further.kind > kinds.kind)
               FROM kinds WHERE kinds.kind IS NOT NULL)
        SELECT i.customer_id FROM kinds CROSS JOIN LATERAL (
               SELECT customer_id FROM identifiers
                WHERE identifiers.kind = kinds.kind AND value >= {prefix}
                  AND value < {prefix} || U&'\\+10FFFF') i"""


@dataclass(frozen=True, slots=True)
class CustomerFilter:
    """Which customers, by the journeys of one model; None means any.

    ``prefix`` is what an identifier's value begins with, of ``prefix_kind`` where that is given.
    ``persona`` is what a persona matches customers by.
    """

    model_id: int
    stages: tuple[str, ...] | None = None
    activity: str | None = None
    channel: str | None = None
    first_channel: str | None = None
    seen_since: Instant | None = None
    prefix_kind: str | None = None
    prefix: str | None = None
    persona: Matcher | None = None


def selection(wanted: CustomerFilter, arguments: Arguments, after: UUID | None = None) -> str:
    """Return FROM and WHERE of a statement about the customers that *wanted* selects.

    They are ``c``, their journeys ``j``.

    Args:
        wanted: Which customers.
        arguments: Of the statement; what is asked for is added.
        after: Ids up to this one are left out.
    """
    model = arguments.add(wanted.model_id, "smallint")
    conditions = " AND ".join(_conditions(wanted, arguments, after)) or "true"
    customers = _customers(wanted, arguments)
    return _FROM.format(customers=customers, model=model, conditions=conditions)


def _customers(wanted: CustomerFilter, arguments: Arguments) -> str:
    if wanted.prefix is None:
        return _ALL
    prefix = arguments.add(wanted.prefix, "text")
    if wanted.prefix_kind is None:
        identifiers = _OF_ANY_KIND.format(prefix=prefix)
        if wanted.prefix != wanted.prefix.lower():  # as addresses are stored
            address = arguments.add(wanted.prefix.lower(), "text")
            identifiers += " UNION ALL " + _OF_A_KIND.format(kind="'email'", prefix=address)
        return _KNOWN_BY.format(identifiers=identifiers)
    kind = arguments.add(wanted.prefix_kind, "text")
    return _KNOWN_BY.format(identifiers=_OF_A_KIND.format(kind=kind, prefix=prefix))


def _conditions(wanted: CustomerFilter, arguments: Arguments, after: UUID | None) -> Iterator[str]:
    if after is not None:
        yield f"c.id > {arguments.add(after, 'uuid')}"
    if wanted.stages is not None:
        yield f"j.stage = ANY({arguments.add(wanted.stages, 'text[]')})"
    if wanted.activity is not None:
        yield f"j.activity = {arguments.add(wanted.activity, 'text')}"
    if wanted.channel is not None:
        channel = arguments.add(wanted.channel, "text")
        yield f"c.profile -> 'by_channel' -> {channel} IS NOT NULL"
    if wanted.first_channel is not None:
        yield f"c.first_channel = {arguments.add(wanted.first_channel, 'text')}"
    if wanted.seen_since is not None:
        yield f"c.last_at >= {arguments.add(datetime_of(wanted.seen_since), 'timestamptz')}"
    if wanted.persona is not None:
        yield persona_condition(wanted.persona, arguments)
