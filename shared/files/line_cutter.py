"""Bytes that come in pieces, cut into lines; pure."""

from typing import Final

LONGEST_LINE: Final = 1 << 20
"""Bytes of a line that are kept; far above what is taken as one touchpoint."""


class LineCutter:
    """Cuts what comes into lines, each with its end: a line feed, a carriage return, or both.

    Of a line that is longer than LONGEST_LINE, one byte more than that is kept.
    """

    def __init__(self) -> None:
        self._begun = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that *chunk* brings to their end."""
        lines = (self._begun + chunk).splitlines(keepends=True)
        # A carriage return at the very end may be half of a line's end.
        self._begun = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        self._begun = _shortened(self._begun)
        return [_shortened(line) for line in lines]

    def finish(self) -> list[bytes]:
        """Return what is left when nothing more comes."""
        rest, self._begun = self._begun, b""
        return [rest] if rest else []


def _shortened(line: bytes) -> bytes:
    return line[: LONGEST_LINE + 1] if len(line) > LONGEST_LINE else line
