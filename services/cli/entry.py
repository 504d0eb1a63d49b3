"""The console script: an interruption while the command is still being loaded ends it, too."""

import importlib
import sys
from typing import Final

INTERRUPTED: Final = 130


def main() -> None:
    """Load the command and run it; exits as the command does, or 130 if it was interrupted."""
    try:
        command = importlib.import_module("services.cli.__main__")
    except KeyboardInterrupt:  # loading takes a second on a busy machine
        sys.stderr.write("journeyline: stopped\n")
        sys.exit(INTERRUPTED)
    command.main()
