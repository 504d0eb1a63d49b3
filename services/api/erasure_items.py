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
from shared.identity.normalisation import PHONE, normalise, phones_in
from shared.touchpoints import Identifier, JsonValue

SHORTEST_TELLING: Final = 5
"""Characters; ``42`` in an item that names nobody may be anything."""

PHONE_END: Final = 6
"""Digits at the end of a phone number that every spelling of it has."""

_ITEMS: Final = """
SELECT id, raw, item, concat_ws(E'\\n', message, errors::text, settled_reason) AS said,
       (SELECT settings ->> 'phone_region' FROM sources WHERE name = quarantine.source) AS region
  FROM quarantine
 WHERE recorded_at >= $1
   AND (EXISTS (SELECT FROM unnest($2::text[]) AS wanted (text)
                 WHERE strpos(lower(encode(raw, 'escape')), wanted.text) > 0
                    OR strpos(lower(encode(item, 'escape')), wanted.text) > 0)
     OR EXISTS (SELECT FROM unnest($3::text[]) AS wanted (text)
                 WHERE strpos(lower(concat_ws(E'\\n', message, errors::text, settled_reason)),
                              wanted.text) > 0)
     OR EXISTS (SELECT FROM unnest($4::text[]) AS wanted (digits)
                 WHERE strpos(regexp_replace(encode(raw || coalesce(item, ''), 'escape'), $5, '',
                                             'g'),
                              wanted.digits) > 0))
"""
_NO_DIGIT: Final = r"\\\\u[0-9a-fA-F]{4}|\\[0-7]{3}|%[0-9a-fA-F]{2}|[^0-9]"
"""What may stand between the digits of a phone number: escaped characters have digits of their
own."""


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
    ends = [phone[-PHONE_END:] for phone in _phones(names)]
    wanted = spellings, words, ends, _NO_DIGIT
    rows = await connection.fetch(_ITEMS, since, *wanted, timeout=timeout_seconds)
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
    return _stands_in(row["said"], telling) or any(
        _carries(raw, names, row["region"])
        or _holds(raw, telling)
        or _holds_phone(raw, _phones(names), row["region"])
        for raw in held
    )


def _carries(raw: bytes, names: frozenset[Identifier], region: str | None) -> bool:
    return not names.isdisjoint(named_in(raw, phone_region=region))


def _holds(raw: bytes, telling: Collection[str]) -> bool:
    """Tell whether bytes hold a *telling* value as a text of its own.

    A wrong column map puts it anywhere; forms of vendors have it encoded.
    """
    value = parsed(raw)
    if value is not None:
        return any(text.lower() in telling for text in _texts(value))
    text = raw.decode("utf-8", "replace")
    return _stands_in(text, telling) or _stands_in(unquote_plus(text), telling)


def _holds_phone(raw: bytes, phones: Collection[str], region: str | None) -> bool:
    """Tell whether bytes hold one of *phones* anywhere, in any spelling."""
    if not phones:
        return False
    value = parsed(raw)
    if value is not None:
        return any(
            normalise(PHONE, text, phone_region=region).value in phones for text in _texts(value)
        )
    text = raw.decode("utf-8", "replace")
    found = phones_in(text, phone_region=region) | phones_in(
        unquote_plus(text), phone_region=region
    )
    return not found.isdisjoint(phones)


def _phones(names: frozenset[Identifier]) -> frozenset[str]:
    """Return the phone numbers among *names* that could be read as such."""
    return frozenset(
        name.value for name in names if name.kind == PHONE and name.value.startswith("+")
    )


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
