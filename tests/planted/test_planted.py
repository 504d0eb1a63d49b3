"""The tests can fail: bugs that are planted into a copy of the tree are caught."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fixtures.processes import ROOT
from tests.planted.planting import PlantedBug, hunt, planted_bugs
from tests.postgres import PostgresForTests

BUGS = planted_bugs()


def of_this_commit() -> list[PlantedBug]:
    """Return two bugs, other ones for other commits."""
    git = shutil.which("git") or "git"
    ran = subprocess.run(
        [git, "rev-parse", "HEAD"], check=False, cwd=ROOT, capture_output=True, text=True
    )
    number = int(ran.stdout.strip() or "0", 16)
    first = number % len(BUGS)
    second = (first + 1 + number // len(BUGS) % (len(BUGS) - 1)) % len(BUGS)
    return [BUGS[first], BUGS[second]]


def test_there_are_ten() -> None:
    assert len(BUGS) == 10


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_planted_bug_still_fits_and_names_tests_that_exist(bug: PlantedBug) -> None:
    assert bug.fits(ROOT) is None
    assert bug.caught_by
    for test in bug.caught_by:
        file, _, name = test.partition("::")
        assert f"def {name}" in (ROOT / file).read_text("utf-8")


def test_a_commit_plants_two_different_ones() -> None:
    first, second = of_this_commit()
    assert first != second


@pytest.mark.parametrize("turn", [0, 1])
def test_two_bugs_that_the_commit_chooses_are_caught(
    turn: int, tmp_path: Path, postgres: PostgresForTests
) -> None:
    bug = of_this_commit()[turn]
    verdict = hunt(bug, tmp_path, {"TEST_DATABASE_URL": postgres.url})
    assert verdict.caught, f"{bug.name}: {bug.what}\n{verdict.said}"
