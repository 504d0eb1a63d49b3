"""The whole suite, with a written report: ``make bench``."""

import platform
import subprocess
import sys
from pathlib import Path

REPORT = Path("bench-report")
SUITE = (
    "fold",
    "refold",
    "identity",
    "ingest",
    "ingest_durable",
    "embedded_log",
    "kafka_log",
    "http_front",
    "api",
    "api_in_process",
)


def main() -> None:
    """Run every benchmark in a process of its own and keep what it prints."""
    REPORT.mkdir(exist_ok=True)
    lines = [f"Python {platform.python_version()}, {platform.machine()}", ""]
    for name in SUITE:
        sys.stderr.write(f"{name} …\n")
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}"],
            capture_output=True,
            text=True,
            check=False,
        )
        lines += [f"## {name}", "", done.stdout.strip() or done.stderr.strip()[-2_000:], ""]
    path = REPORT / "report.md"
    path.write_text("\n".join(lines))
    print("\n".join(lines))
    sys.stderr.write(f"written to {path}\n")


if __name__ == "__main__":
    main()
