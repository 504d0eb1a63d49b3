"""The jars of Apache Kafka: brought by Maven, once for each version of the pom.

Standard library only, for ``make kafka-up`` needs no virtual environment.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
JARS: Final = HERE / "jars"
POM: Final = HERE / "pom.xml"


class KafkaMissing(Exception):
    """Kafka cannot be run here; says what to do."""


def missing_programs() -> str | None:
    """Return None if Kafka can be brought and run here, else what is missing and what to do."""
    missing = [program for program in ("java", "mvn") if shutil.which(program) is None]
    if not missing:
        return None
    return (
        f"{' and '.join(missing)} not found; on Debian or Ubuntu run: "
        "apt-get install default-jre-headless maven"
    )


def bring_jars() -> Path:
    """Return the folder of the jars, filled for the pom as it is; others wait meanwhile.

    Raises:
        KafkaMissing: a program is missing, or Maven failed; says what to do.
    """
    wanted = hashlib.sha256(POM.read_bytes()).hexdigest()
    with (HERE / ".jars.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = JARS / ".pom"
        if not stamp.exists() or stamp.read_text("utf-8") != wanted:
            _run_maven()
            stamp.write_text(wanted, "utf-8")
    return JARS


def _run_maven() -> None:
    if (missing := missing_programs()) is not None:
        raise KafkaMissing(missing)
    sys.stderr.write("kafka: Maven brings Kafka's jars (54 MB), a minute the first time …\n")
    growing = JARS.with_name(f"jars.{os.getpid()}")
    command = ["mvn", "-q", "-B", "-f", str(POM), "package", f"-Djars={growing}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        shutil.rmtree(growing, ignore_errors=True)
        raise KafkaMissing(f"Maven could not bring Kafka's jars:\n{done.stdout[-2_000:]}")
    shutil.rmtree(JARS, ignore_errors=True)
    growing.rename(JARS)
