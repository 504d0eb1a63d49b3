"""Planted bugs: patches that break one promise each, put into a copy of the tree, to be caught.

A patch file begins with what the bug is, and names on a line ``Caught-by:`` the tests that must
fail. The product itself has no switches; whoever changes it so that a patch no longer fits has to
plant the bug anew.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import Final

from tests.fixtures.processes import ROOT

FOLDER: Final = Path(__file__).parent
MOST_SECONDS: Final = 90.0

_COPIED: Final = ("services", "shared", "tests", "deploy", "benchmarks", "pyproject.toml")
_FAILED: Final = 1
"""What pytest ends with if tests ran and failed; anything else is no proof of a caught bug."""
_CAUGHT_BY: Final = "Caught-by: "


@dataclass(frozen=True, slots=True)
class PlantedBug:
    """A patch; ``what`` is its first paragraph."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def what(self) -> str:
        return self._text.partition("\n\n")[0].replace("\n", " ")

    @property
    def caught_by(self) -> Sequence[str]:
        """The tests that must fail."""
        lines = self._text.splitlines()
        return [
            line.removeprefix(_CAUGHT_BY).strip() for line in lines if line.startswith(_CAUGHT_BY)
        ]

    @property
    def _text(self) -> str:
        return self.path.read_text("utf-8")

    def fits(self, tree: Path) -> str | None:
        """Return None if the patch can be applied to *tree*, else why not."""
        return _git_apply(self.path, tree, "--check")

    def plant(self, tree: Path) -> None:
        """Put the bug into *tree*."""
        if (why := _git_apply(self.path, tree)) is not None:
            raise ValueError(f"{self.name} does not fit any more: {why}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether tests saw a planted bug; ``said`` is the end of what they wrote."""

    caught: bool
    seconds: float
    said: str


def planted_bugs() -> list[PlantedBug]:
    """Return all of them, in order."""
    return [PlantedBug(path) for path in sorted(FOLDER.glob("*.patch"))]


def hunt(
    bug: PlantedBug, folder: Path, environment: Mapping[str, str] = MappingProxyType({})
) -> Verdict:
    """Plant *bug* into a copy of the tree below *folder*, and run the tests that must see it.

    Args:
        bug: What to plant.
        folder: A new folder for the copy.
        environment: What the tests are told besides, say a server to use.
    """
    tree = folder / bug.name
    _copy_tree(tree)
    bug.plant(tree)
    began = monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider"]
    try:
        ran = subprocess.run(
            [*command, *bug.caught_by],
            check=False,
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree), "HYPOTHESIS_PROFILE": "ci", **environment},
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return Verdict(caught=False, seconds=MOST_SECONDS, said="not seen in time")
    said = (ran.stdout + ran.stderr)[-2_000:]
    return Verdict(ran.returncode == _FAILED, monotonic() - began, said)


def _copy_tree(tree: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "planted", ".hypothesis")
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=ignored)
        else:
            shutil.copy2(source, tree / name)


def _git_apply(patch: Path, tree: Path, *options: str) -> str | None:
    """Apply a patch in *tree*, whether or not that belongs to a repository."""
    command = ["git", "apply", *options, str(patch)]
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)}
    ran = subprocess.run(
        command, check=False, cwd=tree, env=environment, capture_output=True, text=True
    )
    return None if ran.returncode == 0 else ran.stderr.strip()
