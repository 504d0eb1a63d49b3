"""The pages on vendors: one for each, with commands and types that are real."""

import re
from pathlib import Path
from typing import Final

import msgspec
import pytest

from services.ingest.channels.table import ERRANDS, HOOKS
from shared.catalogue.types import touchpoint_types
from shared.source_documents import settings_of
from shared.sources import Vendor

FOLDER: Final = Path("docs/channels")
SETTINGS: Final = re.compile(r"sources update \S+ --settings '([^']+)'")
TYPES: Final = re.compile(r"`((?:call|chat|email|order|payment|sms|store|ticket)_[a-z_]+)`")
NOT_TYPES: Final = frozenset({"order_id", "payment_id"})


@pytest.mark.parametrize("vendor", Vendor)
def test_the_settings_on_a_vendor_s_page_are_right_and_for_that_vendor(vendor: Vendor) -> None:
    page = (FOLDER / f"{vendor}.md").read_text("utf-8")
    found = SETTINGS.findall(page)
    assert found
    for text in found:
        hooks = settings_of(msgspec.json.decode(text.replace("YOUR-HOST", "shop.example"))).hooks
        assert list(hooks) == [vendor]
        assert hooks[vendor].secrets or hooks[vendor].topics
    assert f"/v1/hooks/{vendor}/" in page
    assert "## How far this is verified" in page


@pytest.mark.parametrize("vendor", Vendor)
def test_a_vendor_s_page_names_the_types_that_its_deliveries_become(vendor: Vendor) -> None:
    page = (FOLDER / f"{vendor}.md").read_text("utf-8")
    named = set(TYPES.findall(page)) - NOT_TYPES
    assert named <= set(touchpoint_types())
    made = {kind.key for kind in touchpoint_types().values() if vendor in kind.vendors}
    if vendor is Vendor.TWILIO_EVENTS:  # its page refers to the one of TaskRouter for tasks
        named |= {kind for kind in made if kind.startswith(("call_", "chat_"))}
    assert {kind for kind in made - named if TYPES.fullmatch(f"`{kind}`")} == set()


def test_every_vendor_is_in_the_list_of_them_and_in_the_table() -> None:
    page = (FOLDER / "README.md").read_text("utf-8")
    assert set(re.findall(r"\]\(([a-z-]+)\.md\)", page)) == {vendor.value for vendor in Vendor}
    assert set(HOOKS) == set(Vendor)
    assert set(ERRANDS) <= set(HOOKS)
