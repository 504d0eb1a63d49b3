"""References in paths: segments as the router hands them on, read as names of things."""

from typing import Annotated
from uuid import UUID

from fastapi import Path

from services.api.paths import segment_text
from shared.errors import NotFound, Unreadable
from shared.identity.identifiers import parse_ref
from shared.touchpoints import Identifier

LONGEST_SEGMENT = 600
"""Characters; longer ones name nothing."""

Segment = Annotated[str, Path()]
"""A path segment that is still encoded."""


def customer_reference(segment: str) -> Identifier | UUID:
    """Read a customer id or ``kind:value``.

    Raises:
        Unreadable: it is neither.
    """
    return parse_ref(name_in(segment))


def name_in(segment: str) -> str:
    """Return the text of a segment.

    Raises:
        Unreadable: its bytes are no UTF-8.
        NotFound: nothing has such a name, because no text in the database can be like that.
    """
    text = segment_text(segment)
    if text is None:
        raise Unreadable("a part of the path is not UTF-8 once percent-decoded", code="bad_path")
    if "\0" in text or len(text) > LONGEST_SEGMENT:
        raise NotFound("nothing has that name")
    return text


def id_in(segment: str, what: str) -> UUID:
    """Read a segment that is a UUID.

    Raises:
        NotFound: it is none, so it names no *what*.
    """
    try:
        return UUID(name_in(segment))
    except ValueError:
        raise NotFound(f"no {what} has that id") from None
