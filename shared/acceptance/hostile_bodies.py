"""Bodies whose frame msgspec does not get past because of what one of the items holds; pure.

Half a surrogate pair and nesting beyond Python's own limit are faults of one item, but they stop
the decoder while it looks for the items' ends. Here the ends are found by brackets alone.
"""

import re
from typing import Final

from shared.acceptance.reasons import Reason
from shared.errors import Unreadable

_OPENING: Final = re.compile(rb'(?:\{\s*"touchpoints"\s*:\s*)?\[')
_VALUE: Final = re.compile(rb"\s*:\s*\[")
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_STRING: Final = rb'"(?:[^"\\]++|\\.)*+"?'
_AT_THE_TOP: Final = re.compile(_STRING + rb"|[\[{\]},]", re.DOTALL)
_INSIDE: Final = re.compile(_STRING + rb"|[\[{]+|[\]}]+", re.DOTALL)
_DEEP: Final = 500
"""Fewer brackets than this cannot nest too deep for the decoder."""
_MOST_TOKENS: Final = 200_000
"""Some 50 ms of looking for ends; a body with more strings and brackets is refused as a whole."""


def opens_items(text: bytes) -> bool:
    """Tell whether *text* begins as an array, or as an object around an array of touchpoints."""
    return _OPENING.match(text) is not None


def is_perhaps_hostile(text: bytes) -> bool:
    """Tell whether *text* may be JSON although msgspec says that it is not."""
    return _SURROGATE.search(text) is not None or text.count(b"[") + text.count(b"{") > _DEEP


def split_hostile(text: bytes, most_items: int) -> tuple[bytes, ...]:
    """Find the items of *text*, at most one more than *most_items*.

    What is between the items is checked; what is inside of one is not.

    Raises:
        Unreadable: The brackets do not match, or there are too many; code ``bad_json``.
    """
    opening = _OPENING.match(text)
    if opening is None:
        return (text,)
    items, end = _members(text, opening.end(), most_items)
    rest = text[end:].split()
    if len(items) <= most_items and rest != ([b"}"] if text.startswith(b"{") else []):
        raise _unreadable("something stands behind its end")
    return tuple(items)


def cut_hostile(text: bytes, name: bytes, most_items: int) -> tuple[tuple[bytes, ...], bytes]:
    """Take the items out of an array that is the member *name* of an object.

    Returns:
        The items, at most one more than *most_items*; and the object with an empty array.

    Raises:
        Unreadable: There is no such member, the brackets do not match, or there are too many; code
            ``bad_json``.
    """
    start = _start_of_array(text, b'"' + name + b'"')
    items, end = _members(text, start, most_items)
    return tuple(items), text[:start] + b"]" + text[end:]


def _start_of_array(text: bytes, quoted: bytes) -> int:
    """Return the place behind the bracket that opens the array which is the member *quoted*."""
    depth, position = 0, 0
    for _ in range(_MOST_TOKENS):
        token = (_AT_THE_TOP if depth <= 1 else _INSIDE).search(text, position)
        if token is None:
            break
        position = token.end()
        symbol = text[token.start() : token.start() + 1]
        if symbol in b"[{":
            depth += position - token.start()
        elif symbol in b"]}":
            depth -= position - token.start()
        elif depth == 1 and token[0] == quoted and (opening := _VALUE.match(text, position)):
            return opening.end()
    raise _unreadable(f"it has no array {quoted.decode()}")


def _members(text: bytes, start: int, most_items: int) -> tuple[list[bytes], int]:
    """Return the members of the array that was opened before *start*, and where it ends."""
    items: list[bytes] = []
    depth, position, begin = 1, start, start
    for _ in range(_MOST_TOKENS):
        token = (_AT_THE_TOP if depth == 1 else _INSIDE).search(text, position)
        if token is None:
            raise _unreadable("an array has no end")
        position = token.end()
        symbol = text[token.start() : token.start() + 1]
        if symbol in b"[{":
            depth += position - token.start()
        elif symbol in b"]}" and depth > 1:
            closed = min(position - token.start(), depth - 1)
            depth -= closed
            position = token.start() + closed
        elif symbol in b",]":
            _append(items, text[begin : token.start()].strip(), last=symbol == b"]")
            begin = position
            if symbol == b"]" or len(items) > most_items:
                return items, position
        elif symbol == b"}":
            raise _unreadable("an array is closed as an object")
    raise _unreadable("it has too many parts to find the one at fault")


def _append(items: list[bytes], item: bytes, *, last: bool) -> None:
    if item:
        items.append(item)
    elif items or not last:
        raise _unreadable("a comma has nothing beside it")


def _unreadable(objection: str) -> Unreadable:
    return Unreadable(f"The body is not JSON: {objection}.", code=Reason.BAD_JSON)
