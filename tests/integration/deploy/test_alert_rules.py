"""Alerts: each is tried, is about metrics there are, and leads to what to do."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from shared import metrics

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy/prometheus/alerts.yml"
TRIALS = ROOT / "deploy/prometheus/alerts_test.yml"

METRICS = (Counter, Gauge, Histogram)
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None and "REQUIRE_PROMTOOL" not in os.environ,
    reason="promtool is not installed (Debian: apt-get install prometheus)",
)


def rules() -> list[dict[str, object]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def names_in(expression: str) -> set[str]:
    """Return the metrics that an expression reads: names outside of matchers and groupings."""
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\b(?:by|on)\s*\([^)]*\)", " ", expression)
    return set(re.findall(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b(?!\s*\()", bare))


def anchors(page: Path) -> set[str]:
    """Return what headings of a page can be linked by, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@needs_promtool
def test_every_alert_goes_off_when_it_should() -> None:
    assert PROMTOOL is not None
    for arguments in (["check", "rules", RULES.name], ["test", "rules", TRIALS.name]):
        done = subprocess.run(
            [PROMTOOL, *arguments], cwd=RULES.parent, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried() -> None:
    trials = yaml.safe_load(TRIALS.read_text())["tests"]
    fired = {
        trial["alertname"]
        for test in trials
        for trial in test["alert_rule_test"]
        if trial["exp_alerts"]
    }
    assert fired == {rule["alert"] for rule in rules()}


def test_alerts_are_about_metrics_that_the_product_has() -> None:
    ours = (value for value in vars(metrics).values() if isinstance(value, METRICS))
    known = {
        family.name + end
        for one in ours
        for family in one.describe()
        for end in ("", "_total", "_bucket")
    }
    for rule in rules():
        asked = names_in(str(rule["expr"]))
        assert asked, rule["alert"]
        assert asked <= known, rule["alert"]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_leads_to_its_entry_in_the_runbook(rule: dict[str, dict[str, str]]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor in anchors(ROOT / page)
