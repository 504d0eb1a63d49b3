"""Write .env with the secrets that docker-compose.yml asks for, unless they are there.

Standard library only, for `make up` needs no virtual environment.
"""

import os
import secrets
import sys
from pathlib import Path

NAMES = ("KEY_PEPPER", "POSTGRES_PASSWORD")


def main() -> None:
    """Add what is missing to the file that is named."""
    path = Path(sys.argv[1])
    there = path.read_text("utf-8") if path.exists() else ""
    named = {line.partition("=")[0] for line in there.splitlines()}
    missing = [f"{name}={secrets.token_urlsafe(32)}\n" for name in NAMES if name not in named]
    if missing:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "a", encoding="utf-8") as file:
            if there and not there.endswith("\n"):
                file.write("\n")
            file.write("".join(missing))
        sys.stderr.write(f"up: wrote new secrets into {path}; keep it\n")


if __name__ == "__main__":
    main()
