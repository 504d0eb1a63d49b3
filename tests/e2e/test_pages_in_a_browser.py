"""The pages as a browser shows them, not only as a server sends them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fixtures.product import Product

REQUIRED = os.environ.get("REQUIRE_BROWSER") == "1"
QUIETLY = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=8000",
)


@pytest.fixture(scope="module")
def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
    if found is None:
        if REQUIRED:
            pytest.fail("REQUIRE_BROWSER=1, but there is no chromium")
        pytest.skip("no chromium here: apt-get install chromium")
    return found


def shown(browser: str, url: str, profile: Path) -> tuple[str, str]:
    """Return the page as it stands once its scripts have run, and what the console said."""
    done = subprocess.run(
        [browser, *QUIETLY, f"--user-data-dir={profile}", "--dump-dom", url],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    complaints = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return done.stdout, "\n".join(complaints)


def test_the_start_page_leads_on(browser: str, shared_product: Product, tmp_path: Path) -> None:
    page, console = shown(browser, f"{shared_product.url}/", tmp_path)
    assert 'href="/docs"' in page
    assert 'href="/v1/health"' in page
    assert console == ""


def test_the_api_s_documentation_shows_every_route(
    browser: str, shared_product: Product, tmp_path: Path
) -> None:
    page, console = shown(browser, f"{shared_product.url}/docs", tmp_path)
    assert "Unable to render" not in page
    for path in ("/v1/touchpoints", "/v1/customers/{ref}/timeline", "/v1/ledger"):
        assert path in page.replace("\u200b", "").replace("<wbr>", "")
    assert "Content Security Policy" not in console
