"""``python -m tests.planted [NAME…]``: plant every bug in turn and see that tests catch it.

Exits 1 if one is not caught within 90 seconds.
"""

import sys
import tempfile
from pathlib import Path

from tests.planted.planting import hunt, planted_bugs
from tests.postgres import joined_postgres


def main(wanted: list[str]) -> int:
    """Hunt the bugs whose names contain one of *wanted*, or all."""
    bugs = [bug for bug in planted_bugs() if not wanted or any(part in bug.name for part in wanted)]
    missed = 0
    with (
        tempfile.TemporaryDirectory(prefix="journeyline-planted-") as home,
        joined_postgres(Path(home) / "shared-postgres") as postgres,
    ):
        for bug in bugs:
            verdict = hunt(bug, Path(home), {"TEST_DATABASE_URL": postgres.url})
            missed += not verdict.caught
            outcome = "caught" if verdict.caught else "NOT CAUGHT"
            sys.stdout.write(f"{bug.name}: {outcome} in {verdict.seconds:.0f} s. {bug.what}\n")
            if not verdict.caught:
                sys.stdout.write(f"{verdict.said}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(bugs) - missed} of {len(bugs)} planted bugs caught\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
