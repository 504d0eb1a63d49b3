import json
from copy import deepcopy
from typing import cast

import pytest

from shared.journey.bundled import BUNDLED, bundled_model
from shared.journey.loading import load_model
from shared.touchpoints import JsonObject
from tests.fixtures.small_models import loaded, two_stages

LEAVE: JsonObject = {"rule": "back", "after": "P1D", "to": "first"}
SMALL = two_stages(
    {"signal": "a"},
    cycle={"restart": [{"rule": "again", "when": {"signal": "b"}, "to": "first"}]},
)
cast("list[JsonObject]", SMALL["stages"])[1]["leave"] = [LEAVE]


def second(given: JsonObject) -> JsonObject:
    return cast("list[JsonObject]", given["stages"])[1]


@pytest.mark.parametrize("key", BUNDLED)
def test_the_canonical_document_loads_to_the_same_model(key: str) -> None:
    model = load_model(bundled_model(key))
    assert load_model(json.dumps(model.document)) == model


def test_a_default_that_is_written_makes_no_new_version() -> None:
    written = deepcopy(SMALL)
    written |= {"entity": "customer", "title": "Small"}
    second(written).update({"terminal": False, "phase": None, "label": "Second"})
    second(written)["leave"] = [{**LEAVE, "idle": False}]
    enter = cast("list[JsonObject]", second(written)["enter"])[0]
    enter["from"] = ["none", "first"]
    cast("JsonObject", written["cycle"])["restart"] = [
        {"rule": "again", "when": {"signal": "b"}, "to": "first", "from": ["first", "second"]}
    ]
    assert loaded(written).version == loaded(SMALL).version


def test_what_is_only_shown_makes_no_new_version() -> None:
    renamed = deepcopy(SMALL) | {"title": "Another"}
    second(renamed).update({"label": "Zwei", "goal": "to be there"})
    renamed["examples"] = [
        {
            "name": "none",
            "given": [{"at": "2026-01-01T00:00:00Z", "type": "x", "channel": "web"}],
            "expect": [{"at": "2026-01-01T00:00:00Z", "cycle": 1}],
        }
    ]
    assert loaded(renamed).version == loaded(SMALL).version
    assert loaded(renamed).stages[1].label == "Zwei"


def test_the_order_of_keys_makes_no_new_version() -> None:
    turned = dict(reversed(SMALL.items()))
    turned["signals"] = dict(reversed(cast("JsonObject", SMALL["signals"]).items()))
    assert loaded(turned).version == loaded(SMALL).version
    assert loaded(turned).signals == loaded(SMALL).signals


@pytest.mark.parametrize(
    "change",
    [{"key": "other"}, {"start": "second"}, {"lineage": {"old": ["first"]}}],
)
def test_what_means_something_else_is_another_version(change: JsonObject) -> None:
    assert loaded(SMALL | change).version != loaded(SMALL).version


def test_a_version_is_a_sha256_in_hex() -> None:
    assert len(loaded(SMALL).version) == 64
    assert int(loaded(SMALL).version, 16)
