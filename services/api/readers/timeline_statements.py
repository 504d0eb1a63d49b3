"""Statements of timeline pages: for each kind of item, and for a customer with all of them at once.

Parameters of the statements for one kind: whose items, then what ``readers/timelines.py`` hands in.
"""

import re
from collections.abc import Mapping
from typing import Final

from services.api.readers.customers import HEAD_BY_ID, HEAD_BY_IDENTIFIER
from services.api.readers.touchpoints import SELECT_SHOWN, SHOWN
from services.api.timeline import LAST_TEXT, Kind, Order

# A page of many identifiers would read a whole page of each. The few at the top of each show how
# far back the page can reach at most: of what is behind that, nothing is read. The interval is
# hidden from PostgreSQL: a plan for all of time would look so much cheaper than the one for any
# interval that it would be made anew for each page, which takes longer than what it does.
_TOUCHPOINTS: Final = """
WITH reach AS (
    SELECT top.effective_at
      FROM unnest($1::bigint[]) AS owner (id)
     CROSS JOIN LATERAL (
           SELECT effective_at FROM touchpoints
            WHERE identifier_id = owner.id
              AND (effective_at, source, event_id) {behind} ($2, $3, $4)
              AND effective_at >= (SELECT $5::timestamptz)
              AND effective_at < (SELECT $6::timestamptz)
              AND recorded_at <= $7
              AND ($8::text[] IS NULL OR channel = ANY($8))
              AND ($9::text[] IS NULL OR type = ANY($9))
            ORDER BY effective_at {order}, source {order}, event_id {order}
            LIMIT CASE WHEN cardinality($1::bigint[]) > 1
                       THEN 2 * $10 / cardinality($1::bigint[]) + 1 ELSE 0 END) top
     ORDER BY effective_at {order} OFFSET $10 - 1 LIMIT 1)
{select}
  FROM (SELECT own.*
          FROM unnest($1::bigint[]) AS owner (id)
         CROSS JOIN LATERAL (
               SELECT effective_at, received_at, occurred_at, sent_at, log_offset, claim_id,
                      source, event_id, channel, type, body, text
                 FROM touchpoints
                WHERE identifier_id = owner.id
                  AND (effective_at, source, event_id) {behind} ($2, $3, $4)
                  AND effective_at >= (SELECT $5::timestamptz)
                  AND effective_at < (SELECT $6::timestamptz)
                  AND effective_at {within} coalesce((SELECT effective_at FROM reach), {end})
                  AND recorded_at <= $7
                  AND ($8::text[] IS NULL OR channel = ANY($8))
                  AND ($9::text[] IS NULL OR type = ANY($9))
                ORDER BY effective_at {order}, source {order}, event_id {order}
                LIMIT $10) own
         ORDER BY effective_at {order}, source {order}, event_id {order}
         LIMIT $10) page
  JOIN claims ON claims.id = page.claim_id
"""
_TRANSITIONS: Final = """
SELECT * FROM (
    SELECT id, at, decided_at, axis, kind, from_key, to_key, rule, cycle, cause,
           CASE WHEN superseded_at <= $5 THEN superseded_at END AS superseded_at,
           coalesce(cause -> 'touchpoint' ->> 'source', '{last}') COLLATE "C" AS source,
           coalesce(cause -> 'touchpoint' ->> 'event_id', '') COLLATE "C" AS event_id,
           (axis || CASE kind WHEN 'restart' THEN '0' ELSE '1' END || id || '.' || n)
               COLLATE "C" AS tie
      FROM transitions
     WHERE customer_id = $1 AND model_id = $2 AND at >= $3 AND at < $4
       AND decided_at <= $5 AND ($6 OR superseded_at IS NULL OR superseded_at > $7)
       AND NOT EXISTS (SELECT FROM models WHERE models.id = $2
                         AND state IN ('shadow', 'activating'))) moved
 WHERE (at, source, event_id, tie) {behind} ($8, $9, $10, $11)
 ORDER BY at {order}, source {order}, event_id {order}, tie {order}
 LIMIT $12
"""
_IDENTITY: Final = """
SELECT happened.*, a.kind AS a_kind, a.value AS a_value, b.kind AS b_kind, b.value AS b_value
  FROM (SELECT * FROM (
            SELECT DISTINCT ON (a_id, b_id)
                   effective_at AS at, CASE WHEN refused THEN 'refused' ELSE 'linked' END AS action,
                   a_id, b_id, source, event_id, id::text COLLATE "C" AS tie, id, reason, actor
              FROM links
             WHERE (a_id = ANY($1) OR b_id = ANY($1)) AND recorded_at <= $2
             ORDER BY a_id, b_id, effective_at, source, event_id) first_links
        UNION ALL
        SELECT recorded_at, CASE WHEN {linked} THEN 'unlinked' ELSE 'barred' END,
               a_id, b_id, '{last}', '', id || '.barred', id, reason, actor
          FROM bars
         WHERE (a_id = ANY($1) OR b_id = ANY($1)) AND recorded_at <= $2
        UNION ALL
        SELECT lifted_at, CASE WHEN {linked} THEN 'linked' ELSE 'unbarred' END,
               a_id, b_id, '{last}', '', id || '.lifted', id, lifted_reason, lifted_by
          FROM bars
         WHERE (a_id = ANY($1) OR b_id = ANY($1)) AND lifted_at <= $2) happened
  JOIN identifiers a ON a.id = a_id
  JOIN identifiers b ON b.id = b_id
 WHERE at >= $3 AND at < $4 AND (at, source, event_id, tie) {behind} ($5, $6, $7, $8)
 ORDER BY at {order}, source {order}, event_id {order}, tie {order}
 LIMIT $9
"""
_LINKED: Final = """EXISTS (
                   SELECT FROM links l WHERE l.a_id = bars.a_id AND l.b_id = bars.b_id
                      AND l.recorded_at <= $2)"""


_SPELT: Final = {"last": LAST_TEXT, "linked": _LINKED, "select": SELECT_SHOWN}


def _both_orders(statement: str) -> dict[Order, str]:
    return {
        "desc": statement.format(
            behind="<", order="DESC", within=">=", end="'-infinity'::timestamptz", **_SPELT
        ),
        "asc": statement.format(
            behind=">", order="ASC", within="<=", end="'infinity'::timestamptz", **_SPELT
        ),
    }


TOUCHPOINTS: Final = _both_orders(_TOUCHPOINTS)
TRANSITIONS: Final = _both_orders(_TRANSITIONS)
IDENTITY: Final = _both_orders(_IDENTITY)

_PAGE: Final = """
WITH head AS MATERIALIZED ({head})
SELECT head.*, shown.*,
       CASE WHEN {{}} THEN (SELECT array_agg(item) FROM ({transitions}) item) END AS transitions,
       CASE WHEN {{}} THEN (SELECT array_agg(item) FROM ({identity}) item) END AS identity
  FROM head
 CROSS JOIN LATERAL (
       SELECT {columns} FROM ({touchpoints}) item WHERE {{}}) shown
"""
# Touchpoints come by columns: the driver takes a third less time for those than for records.
_COLUMNS: Final = ", ".join(f"array_agg({name}) AS shown_{name}" for name in SHOWN)
_PARAMETER: Final = re.compile(r"\$(\d+)")


def _page(head: str, order: Order) -> str:
    """Return the statement that reads a head and a page of it at once.

    One statement sees one state of the database, and a round trip is what a page costs most of.
    Its parameters are those of *head*, then for each kind whether it is wanted, then those of the
    kinds, without what the head knows.
    """
    first = max(int(number) for number in _PARAMETER.findall(head)) + 1
    parts = []
    number = first + len(Kind)
    for statement, known in (
        (TOUCHPOINTS[order], {1: "head.identifier_ids"}),
        (TRANSITIONS[order], {1: "head.customer_id", 2: "head.model_id"}),
        (IDENTITY[order], {1: "head.identifier_ids"}),
    ):
        parts.append(moved(statement, known, number))
        number += max(int(own) for own in _PARAMETER.findall(statement)) - len(known)
    touchpoints, transitions, identity = parts
    page = _PAGE.format(
        head=head,
        columns=_COLUMNS,
        touchpoints=touchpoints,
        transitions=transitions,
        identity=identity,
    )
    wanted = [f"${first + place}::boolean" for place in range(len(Kind))]
    return page.format(wanted[1], wanted[2], wanted[0])


def moved(statement: str, known: Mapping[int, str], number: int) -> str:
    """Return *statement* with its first parameters *known* and the others from *number* on."""

    def replaced(match: re.Match[str]) -> str:
        own = int(match[1])
        return known.get(own, f"${number + own - len(known) - 1}")

    return _PARAMETER.sub(replaced, statement)


PAGE_BY_IDENTIFIER: Final = {
    "desc": _page(HEAD_BY_IDENTIFIER, "desc"),
    "asc": _page(HEAD_BY_IDENTIFIER, "asc"),
}
PAGE_BY_ID: Final = {"desc": _page(HEAD_BY_ID, "desc"), "asc": _page(HEAD_BY_ID, "asc")}
