"""Entity tags: whether what a reader holds is still what we would answer."""

import hashlib
from typing import Final

_DIGEST_BYTES: Final = 12


def weak_etag(content: bytes) -> str:
    """Return the weak entity tag of *content*."""
    return f'W/"{hashlib.blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()}"'


def holds(if_none_match: str | None, etag: str) -> bool:
    """Return whether a request with *if_none_match* already holds what *etag* names.

    Compares weakly, as section 13.1.2 of RFC 9110 asks for.
    """
    if if_none_match is None:
        return False
    held = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in held or etag.removeprefix("W/") in held
