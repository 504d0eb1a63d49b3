"""The production shape under every kind of fault, for a minute: the short torture run.

``make torture`` is the long one.
"""

import os
import sys
from pathlib import Path

import pytest

from tests.fixtures.kafka import skip_without_kafka
from tests.torture.phases import SHORT
from tests.torture.report import report
from tests.torture.run import run


@pytest.mark.timeout(420)
async def test_kills_freezes_outages_and_full_spools_break_no_promise(tmp_path: Path) -> None:
    skip_without_kafka()
    seed = int(os.environ.get("TORTURE_SEED", "1"))
    outcome = await run(SHORT, tmp_path, seed=seed)
    page = report(outcome)
    sys.stdout.write(page)
    assert not outcome.violations, page
    assert not outcome.void, page
