"""Glob patterns with ``*`` as their only wildcard, matched without backtracking."""

from dataclasses import dataclass
from typing import Final, Self

WILDCARD: Final = "*"


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern in which ``*`` stands for any run of characters, also none.

    Every other character, ``?``, ``[`` and the backslash included, stands for itself.
    """

    prefix: str
    middle: tuple[str, ...]
    suffix: str

    @classmethod
    def parse(cls, pattern: str) -> Self:
        """Read *pattern*.

        Raises:
            ValueError: *pattern* has no ``*``.
        """
        prefix, *middle, suffix = pattern.split(WILDCARD)
        return cls(prefix, tuple(part for part in middle if part), suffix)

    def matches(self, text: str) -> bool:
        """Tell whether the pattern covers *text* from end to end.

        Taking each middle part where it first occurs leaves the most room for the rest, so no
        choice is ever taken back and the work is one pass over *text* per part at most.
        """
        end = len(text) - len(self.suffix)
        position = len(self.prefix)
        if position > end or not (text.startswith(self.prefix) and text.endswith(self.suffix)):
            return False
        for part in self.middle:
            found = text.find(part, position, end)
            if found < 0:
                return False
            position = found + len(part)
        return True
