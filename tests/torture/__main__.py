"""``python -m tests.torture [--short] [--seed N] [--folder DIR] [--report FILE]``.

Hurts the whole production shape for minutes and judges what is left. Exits 1 if a promise was
broken, or if a phase did not do what it is for.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

from tests.kafka import why_no_kafka
from tests.torture.phases import FULL, SHORT
from tests.torture.report import passed, report
from tests.torture.run import run


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="the version that CI runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="keeps history and logs; a temporary one else")
    parser.add_argument("--report", type=Path, help="where the report goes besides")
    asked = parser.parse_args()
    if (missing := why_no_kafka()) is not None:
        sys.stderr.write(f"torture: it needs a real Kafka, but {missing}\n")
        return 1
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="journeyline-torture-"))
    folder.mkdir(parents=True, exist_ok=True)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # that Kafka is away is no news here
    sys.stderr.write(f"torture: history and logs are in {folder}\n")
    outcome = asyncio.run(run(SHORT if asked.short else FULL, folder, seed=asked.seed))
    page = report(outcome)
    sys.stdout.write(f"{page}\n")
    if asked.report:
        asked.report.write_text(f"{page}\n", "utf-8")
    return 0 if passed(outcome) else 1


if __name__ == "__main__":
    sys.exit(main())
