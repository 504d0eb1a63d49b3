"""Facts: the rows that reports count, so that every number can be taken apart into them again.

Each is a statement over the published view: one row for a touchpoint, a move or a customer, with
``customer_id``, ``at`` and ``tie``, which together are its key.
"""

from typing import Final

from services.api.readers.arguments import Arguments
from services.api.reports.questions import (
    ReportQuestion,
    met_on_channels,
    of_customers,
    within_time,
)

# Touchpoints of an instant come before its deadlines, those after this one are left out, and of
# two moves by one touchpoint the restart came first.
_HELD: Final = """
LEFT JOIN LATERAL (
     SELECT m.to_key AS stage, m.cause -> 'touchpoint' ->> 'source' AS source,
            m.cause -> 'touchpoint' ->> 'event_id' AS event_id
       FROM transitions m
      WHERE m.customer_id = c.id AND m.model_id = {model} AND m.axis = 'stage'
        AND m.superseded_at IS NULL AND m.at <= t.effective_at
        AND (m.at < t.effective_at
             OR ((m.cause -> 'touchpoint' ->> 'source') COLLATE "C",
                 (m.cause -> 'touchpoint' ->> 'event_id') COLLATE "C") <= (t.source, t.event_id))
      ORDER BY m.at DESC, m.cause -> 'touchpoint' IS NULL DESC,
               (m.cause -> 'touchpoint' ->> 'source') COLLATE "C" DESC,
               (m.cause -> 'touchpoint' ->> 'event_id') COLLATE "C" DESC, m.kind = 'restart', m.id
      LIMIT 1) held ON true
"""
_TOUCHES: Final = """
SELECT c.id AS customer_id, t.effective_at AS at,
       (t.source || '/' || t.event_id) COLLATE "C" AS tie,
       t.source, t.event_id, t.channel, t.type, t.body, held.stage,
       coalesce((held.source, held.event_id) = (t.source, t.event_id), false) AS moved
  FROM touchpoints t
  JOIN identifiers i ON i.id = t.identifier_id
  JOIN customers c ON c.id = i.customer_id
  {held}
 WHERE {when} AND {who} AND {channels}
"""
_MOVES: Final = """
SELECT c.id AS customer_id, m.at, (m.id || '.' || m.n) COLLATE "C" AS tie,
       m.id, m.axis, m.kind AS move, m.from_key AS from_stage, m.to_key AS to_stage, m.rule,
       m.cycle, m.cause,
       extract(epoch FROM m.at - (
           SELECT max(b.at) FROM transitions b
            WHERE b.customer_id = m.customer_id AND b.model_id = m.model_id
              AND b.axis = m.axis AND b.superseded_at IS NULL
              AND b.to_key = m.from_key AND b.at <= m.at AND b.id <> m.id)) AS seconds
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

    ``moved`` tells whether it was this touchpoint that moved the customer there.
    """
    channels = "true"
    if question.channels:
        channels = f"t.channel = ANY({arguments.add(list(question.channels), 'text[]')})"
    return _TOUCHES.format(
        held=_HELD.format(model=arguments.add(question.model_id, "smallint")),
        when=within_time("t.effective_at", question, arguments),
        who=of_customers(question, arguments),
        channels=channels,
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
