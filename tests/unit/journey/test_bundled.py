import re
from collections.abc import Iterator
from typing import Final

import pytest

from shared.journey.bundled import BUNDLED, bundled_model
from shared.journey.loading import load_model

NUMBER: Final = re.compile(r"\bPT?\d|at_least: (?!1\b)")


def unmarked_numbers(text: str) -> Iterator[str]:
    """Yield lines with a weight, count or duration that no comment calls an opinion.

    The comment may stand on the line, above it, or on or above what the line is a part of.
    """
    within: list[tuple[int, bool]] = []
    announced = False
    for line in text.partition("\nexamples:")[0].splitlines():
        bare = line.lstrip()
        if not bare or bare.startswith("#"):
            announced = bool(bare) and (announced or "opinion" in bare)
            continue
        indent = len(line) - len(bare)
        within = [part for part in within if part[0] < indent]
        within.append((indent, announced or "# opinion" in bare))
        announced = False
        if NUMBER.search(bare) and not any(marked for _, marked in within):
            yield bare


@pytest.mark.parametrize("key", BUNDLED)
def test_every_bundled_model_loads_under_its_own_key(key: str) -> None:
    model = load_model(bundled_model(key))
    assert model.key == key
    assert len(model.examples) >= 10


@pytest.mark.parametrize("key", BUNDLED)
def test_every_bundled_model_marks_its_numbers_as_opinions(key: str) -> None:
    assert list(unmarked_numbers(bundled_model(key))) == []


def test_a_number_that_nothing_calls_an_opinion_is_found() -> None:
    text = "scores: # opinion\n  a: {half_life: P1D}\nstages:\n  - {after: P9D}\nexamples: P1D"
    assert list(unmarked_numbers(text)) == ["- {after: P9D}"]


def test_the_default_model_has_six_stages() -> None:
    assert len(load_model(bundled_model("default")).stages) == 6


def test_there_is_no_other() -> None:
    with pytest.raises(KeyError):
        bundled_model("../default")
