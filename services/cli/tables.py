"""Tables: fitted into a terminal, whole in files and pipes, harmless whoever chose their texts."""

import re
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE: Final = 1_000
"""Columns; wider than what any table here takes."""
_STEERING: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def print_table(table: Table) -> None:
    """Print *table* on standard output; where that is no terminal, no cell is cut or wrapped."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    console.print(table)


def plain(text: str) -> Text:
    """Return *text* as a cell that cannot style a table or steer a terminal."""
    return Text(_STEERING.sub(lambda found: ascii(found[0])[1:-1], text))
