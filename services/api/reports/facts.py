"""Facts: the rows that reports count, so that every number can be taken apart into them again.

Each is a statement over the published view: one row for a touchpoint, a move or a customer, with
``customer_id``, ``at`` and ``tie``, which together are its key.
"""

from typing import Final

from services.api.readers.arguments import Arguments
from services.api.readers.conditions import Columns, condition_of, member
from services.api.reports.questions import (
    ReportQuestion,
    met_on_channels,
    of_customers,
    on_channels,
    within_time,
)
from shared.catalogue.friction import friction_matcher

TOUCHPOINT: Final = Columns(
    channel="t.channel",
    type="t.type",
    source="t.source",
    roots={
        "properties": member("(t.body -> 'properties')"),
        "context": member("(t.body -> 'context')"),
        "traits": lambda name: f"(c.profile -> 'traits' -> {name} -> 3)",
    },
)
"""Where a statement over touchpoints, ``t``, of customers, ``c``, has what matchers ask for.

Traits are the present ones.
"""

# Every move of a customer gets a number, and every touchpoint the highest one up to its place: one
# sort of both, however many there are of either. A touchpoint's own moves come just before it, and
# the deadlines of an instant after its touchpoints.
_TOUCHES: Final = """
WITH numbered AS (
     SELECT d.*, row_number() OVER (PARTITION BY d.customer_id ORDER BY d.at, d.late, d.source,
                                    d.event_id, d.kind <> 'restart', d.id) AS n
       FROM (SELECT m.customer_id, m.at, m.cause -> 'touchpoint' IS NULL AS late,
                    coalesce(m.cause -> 'touchpoint' ->> 'source', '') COLLATE "C" AS source,
                    coalesce(m.cause -> 'touchpoint' ->> 'event_id', '') COLLATE "C" AS event_id,
                    m.kind, m.id, m.to_key AS stage
               FROM transitions m
               JOIN customers c ON c.id = m.customer_id
              WHERE m.model_id = {model} AND m.axis = 'stage' AND m.superseded_at IS NULL
                AND {who}) d)
SELECT p.customer_id, p.at, (p.source || '/' || p.event_id) COLLATE "C" AS tie,
       p.source, p.event_id, p.channel, p.type, p.friction, held.stage,
       coalesce((held.source, held.event_id) = (p.source, p.event_id), false) AS moved
  FROM (SELECT placed.*, max(placed.n) OVER (
                   PARTITION BY placed.customer_id
                   ORDER BY placed.at, placed.late, placed.source, placed.event_id,
                            placed.n NULLS LAST) AS reached
          FROM (SELECT c.id AS customer_id, t.effective_at AS at, false AS late,
                       t.source, t.event_id, NULL::bigint AS n, t.channel, t.type,
                       {friction} AS friction
                  FROM touchpoints t
                  JOIN identifiers i ON i.id = t.identifier_id
                  JOIN customers c ON c.id = i.customer_id
                 WHERE {when} AND {who} AND {channels}
                UNION ALL
                SELECT customer_id, at, late, source, event_id, n, NULL, NULL, false
                  FROM numbered) placed) p
  LEFT JOIN numbered held ON held.customer_id = p.customer_id AND held.n = p.reached
 WHERE p.n IS NULL
"""
_MOVES: Final = """
SELECT c.id AS customer_id, m.at, (m.id || '.' || m.n) COLLATE "C" AS tie,
       m.id, m.axis, m.kind AS move, m.from_key AS from_stage, m.to_key AS to_stage, m.rule,
       m.cycle, m.cause,
       extract(epoch FROM m.at - (
           SELECT max(b.at) FROM transitions b
            WHERE b.customer_id = m.customer_id AND b.model_id = m.model_id
              AND b.axis = m.axis AND b.superseded_at IS NULL
              AND b.to_key = m.from_key AND b.at <= m.at AND b.id <> m.id))::float8 AS seconds
  FROM transitions m
  JOIN customers c ON c.id = m.customer_id
 WHERE m.model_id = {model} AND m.superseded_at IS NULL AND {which} AND {when} AND {who}
"""
_CUSTOMERS: Final = """
SELECT c.id AS customer_id, c.first_at AS at, '' AS tie, c.first_channel AS channel,
       (c.profile -> 'first' ->> 1) AS source, (c.profile -> 'first' ->> 2) AS event_id,
       (c.profile -> 'first' ->> 4) AS type
  FROM customers c
 WHERE {when} AND {who}
"""


def touches(question: ReportQuestion, arguments: Arguments) -> str:
    """Return touchpoints with the ``stage`` that each left its customer in, NULL for none.

    ``moved`` tells whether it was this touchpoint that moved the customer there, and ``friction``
    whether it hurt.
    """
    return _TOUCHES.format(
        model=arguments.add(question.model_id, "smallint"),
        when=within_time("t.effective_at", question, arguments),
        who=of_customers(question, arguments),
        channels=on_channels(question, arguments, "t.channel"),
        friction=condition_of(friction_matcher(), TOUCHPOINT, arguments),
    )


def moves(question: ReportQuestion, arguments: Arguments, *, which: str) -> str:
    """Return moves, each with the ``seconds`` that its customer had been where it led away from.

    Args:
        question: Under which model, when, and whose.
        arguments: Takes what is compared with.
        which: A condition of ours on a row of ``transitions`` as ``m``.
    """
    return _MOVES.format(
        model=arguments.add(question.model_id, "smallint"),
        which=which,
        when=within_time("m.at", question, arguments),
        who=met_on_channels(question, arguments),
    )


def newcomers(question: ReportQuestion, arguments: Arguments) -> str:
    """Return customers whose first touchpoint lies in the time asked for, with that touchpoint."""
    return _CUSTOMERS.format(
        when=within_time("c.first_at", question, arguments),
        who=met_on_channels(question, arguments),
    )
