"""Refused items of a customer: they may hold identifiers anywhere, and in any spelling."""

import json
import re
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Final
from urllib.parse import quote_plus, unquote_plus
from uuid import UUID

import asyncpg

from services.api.repairs import parsed
from shared.erasure import named_in
from shared.touchpoints import Identifier, JsonValue

SHORTEST_TELLING: Final = 5
"""Characters; ``42`` in an item that names nobody may be anything."""

_ITEMS: Final = """
SELECT id, raw, item, concat_ws(E'\\n', message, errors::text, settled_reason) AS said
  FROM quarantine
 WHERE recorded_at >= $1
   AND (EXISTS (SELECT FROM unnest($2::text[]) AS wanted (text)
                 WHERE strpos(lower(encode(raw, 'escape')), wanted.text) > 0
                    OR strpos(lower(encode(item, 'escape')), wanted.text) > 0)
     OR EXISTS (SELECT FROM unnest($3::text[]) AS wanted (text)
                 WHERE strpos(lower(concat_ws(E'\\n', message, errors::text, settled_reason)),
                              wanted.text) > 0))
"""


async def find_items(
    connection: asyncpg.Connection,
    names: frozenset[Identifier],
    since: datetime,
    *,
    timeout_seconds: float,
) -> frozenset[UUID]:
    """Return the ids of refused items that concern the customer with *names*.

    Args:
        connection: In the transaction that searches.
        names: The customer's identifiers.
        since: Only what was recorded from then on counts.
        timeout_seconds: How long the search may take.
    """
    spellings = sorted({text for name in names for text in _spellings(name.value)})
    words = [name.value.lower() for name in names]
    rows = await connection.fetch(_ITEMS, since, spellings, words, timeout=timeout_seconds)
    return frozenset(row["id"] for row in rows if _concerns(row, names))


def _spellings(value: str) -> Iterator[str]:
    """Yield how a value may be written in bytes: as it is, in JSON, in JSON of ASCII, in a form."""
    yield _escaped(value)
    yield _escaped(json.dumps(value, ensure_ascii=False)[1:-1])
    yield _escaped(json.dumps(value)[1:-1])
    yield quote_plus(value).lower()


def _concerns(row: asyncpg.Record, names: frozenset[Identifier]) -> bool:
    """Tell whether a refused item is the customer's.

    What is said of it may quote the customer's identifiers, and outlives its raw bytes.
    """
    telling = {name.value.lower() for name in names if len(name.value) >= SHORTEST_TELLING}
    held = [row["raw"], *([] if row["item"] is None else [row["item"]])]
    return _stands_in(row["said"], telling) or any(_holds(raw, names, telling) for raw in held)


def _holds(raw: bytes, names: frozenset[Identifier], telling: Collection[str]) -> bool:
    """Tell whether bytes carry one of *names*, or hold a *telling* value as a text of its own.

    A wrong column map puts it anywhere; forms of vendors have it encoded.
    """
    if not names.isdisjoint(named_in(raw)):
        return True
    value = parsed(raw)
    if value is not None:
        return any(text.lower() in telling for text in _texts(value))
    text = raw.decode("utf-8", "replace")
    return _stands_in(text, telling) or _stands_in(unquote_plus(text), telling)


def _stands_in(text: str, telling: Collection[str]) -> bool:
    lowered = text.lower()
    return any(re.search(rf"(?<![\w.@-]){re.escape(one)}(?![\w@-])", lowered) for one in telling)


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _escaped(value: str) -> str:
    """Return *value* as PostgreSQL's ``encode(…, 'escape')`` writes it, in lower case."""
    return "".join(
        "\\\\" if byte == ord("\\") else chr(byte) if 0 < byte < 0x80 else f"\\{byte:03o}"  # noqa: PLR2004 - ASCII
        for byte in value.lower().encode()
    ).lower()
