"""Make the virtual environment in .venv: locked dependencies and the ``journeyline`` command.

Runs on the Python that is there before anything is installed, so it uses the standard library
only and the syntax of old versions, to be able to say that a version is too old.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
OLDEST = (3, 11)


def fail(message):
    """End with one clear sentence."""
    sys.stderr.write("setup: %s\n" % message)
    raise SystemExit(1)


def make_venv():
    """Make an empty environment with pip in it, also where Debian left ensurepip out."""
    if (VENV / "bin" / "pip").exists():
        return
    made = subprocess.call([sys.executable, "-m", "venv", "--clear", str(VENV)])
    if made == 0:
        return
    bare = [sys.executable, "-m", "venv", "--clear", "--without-pip", str(VENV)]
    pip = [sys.executable, "-m", "pip", "--python", str(VENV), "install", "--quiet", "pip"]
    if subprocess.call(bare) == 0 and subprocess.call(pip) == 0:
        return
    fail(
        "this Python cannot make virtual environments. On Debian or Ubuntu run: "
        "apt-get install python3-venv"
    )


def install(*arguments):
    """Run pip inside of the environment."""
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    pip += ["--disable-pip-version-check", "--no-input"]
    if subprocess.call(pip + list(arguments), cwd=str(ROOT)) != 0:
        fail("the package index could not be read or a package failed: see above, then try again")


def main():
    """Install the given lock files, then the product itself."""
    if sys.version_info < OLDEST:
        fail(
            "needs Python %d.%d or newer, this is %s. Name another one: make setup "
            "PYTHON=python3.11" % (*OLDEST, sys.version.split()[0])
        )
    make_venv()
    for lock in sys.argv[1:]:
        sys.stderr.write("setup: installing %s into .venv …\n" % lock)
        install("--require-hashes", "-r", lock)
    if not (VENV / "bin" / "journeyline").exists():
        install("--no-deps", "--no-build-isolation", "--editable", ".")


if __name__ == "__main__":
    main()
