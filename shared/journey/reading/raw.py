"""What a parser gives before the rules of JSON are applied to it."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

_WORDS: Final[Mapping[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_MOST_DIGITS: Final = 400
LARGEST_INTEGER: Final = 2**53 - 1
"""Beyond it two integers may share one canonical form (RFC 8785, section 3.2.2.3)."""


@dataclass(frozen=True, slots=True)
class Members:
    """An object as written: duplicate keys and keys that are no strings included."""

    pairs: list[tuple["Raw", "Raw"]]


@dataclass(frozen=True, slots=True)
class Unfit:
    """A scalar that is no JSON value a model may hold, and why."""

    code: str
    message: str


Raw: TypeAlias = "bool | int | float | str | list[Raw] | Members | Unfit | None"

NOT_A_NUMBER: Final = Unfit("bad_number", "is not a finite number")
_TOO_LARGE: Final = Unfit(
    "bad_number", "is an integer beyond ±(2^53 - 1), which JSON cannot carry exactly; quote it"
)


def plain_scalar(text: str) -> Raw:
    """Resolve an unquoted YAML scalar by the core schema of YAML 1.2, section 10.3."""
    if text in _WORDS:
        return _WORDS[text]
    for pattern, convert in _NUMBERS:
        if pattern.fullmatch(text):
            return convert(text)
    return text


def integer(digits: str, radix: int = 10) -> Raw:
    """Return the integer written by *digits*, unless it is too large to be carried exactly."""
    if len(digits) > _MOST_DIGITS:
        return _TOO_LARGE
    value = int(digits, radix)
    return value if abs(value) <= LARGEST_INTEGER else _TOO_LARGE


def real(text: str) -> Raw:
    """Return the number written by *text*, unless it is beyond what a float holds."""
    value = float(text)
    return value if math.isfinite(value) else NOT_A_NUMBER


_NUMBERS: Final[tuple[tuple[re.Pattern[str], Callable[[str], Raw]], ...]] = (
    (re.compile(r"[-+]?[0-9]+", re.ASCII), integer),
    (re.compile(r"0o[0-7]+", re.ASCII), lambda text: integer(text[2:], 8)),
    (re.compile(r"0x[0-9a-fA-F]+", re.ASCII), lambda text: integer(text[2:], 16)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII), real),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII), lambda _: NOT_A_NUMBER),
)
