"""The guide to stage models, followed as a reader follows it."""

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from services.cli.__main__ import main
from shared.journey import lint, lint_rules, lint_signals
from shared.journey.bundled import BUNDLED, bundled_model
from shared.journey.loading import load_model
from shared.journey.reading.text import read_text
from shared.touchpoints import JsonObject
from tests.guide_blocks import Command, agree, blocks_of, commands_of, merged, run, write

ROOT: Final = Path(__file__).parents[2]
GUIDE: Final = (ROOT / "docs/stage-models.md").read_text(encoding="utf-8")
BLOCKS: Final = blocks_of(GUIDE)
COMMANDS: Final = [
    command
    for block in BLOCKS
    if block.language == "console" and not block.wants_a_system
    for command in commands_of(block)
]


@dataclass
class Followed:
    """What a reader has seen: output by line of the guide, and each state of the model."""

    printed: dict[int, list[str]] = field(default_factory=dict)
    models: dict[int, str] = field(default_factory=dict)
    grown: str = ""
    """The model made step by step, just before it is shown as a whole."""


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Followed:
    folder, seen = tmp_path_factory.mktemp("guide"), Followed()

    with pytest.MonkeyPatch.context() as patching:
        patching.chdir(folder)
        patching.setenv("COLUMNS", "80")
        patching.delenv("FORCE_COLOR", raising=False)

        def journeyline(arguments: list[str]) -> None:
            patching.setattr(sys, "argv", ["journeyline", *arguments])
            main()

        for block in BLOCKS:
            if block.wants_a_system:
                continue
            if block.language == "console":
                for command in commands_of(block):
                    seen.printed[command.line] = run(command.command, journeyline)
                continue
            path = folder / block.file
            if block.language == "yaml" and not block.fragment and path.exists():
                seen.grown = path.read_text(encoding="utf-8")
            write(block, folder)
            if block.language == "yaml" and "as" not in block.options:
                seen.models[block.line] = path.read_text(encoding="utf-8")
    return seen


def test_every_block_says_what_a_reader_does_with_it() -> None:
    assert GUIDE.count("\n```") == 2 * len(BLOCKS)
    for block in BLOCKS:
        assert block.language in {"yaml", "json", "console"}, block.line
        assert (block.file == "") == (block.language == "console"), block.line


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: f"line {one.line}")
def test_every_command_prints_what_the_guide_shows(command: Command, followed: Followed) -> None:
    printed = followed.printed[command.line]
    assert agree(command.shown, printed), "\n".join([command.command, *printed])


def test_the_model_loads_after_every_step(followed: Followed) -> None:
    assert len(followed.models) > 10
    assert {load_model(text).key for text in followed.models.values()} == {"shop"}


def test_the_whole_model_is_what_the_steps_have_made(followed: Followed) -> None:
    whole = read_text(list(followed.models.values())[-1])
    assert read_text(followed.grown) == whole


def codes_in_first_column(heading: str) -> list[str]:
    """The code that stands first in each row of the table under *heading*."""
    section = re.split(
        r"^#+ ", GUIDE.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE
    )[0]
    found = re.findall(r"^\| `([^`]+)` \|", section, flags=re.MULTILINE)
    assert found, heading
    return found


def whole_model_with(change: str) -> str:
    shop = [block for block in BLOCKS if block.file == "shop.yaml" and not block.fragment][-1]
    model = merged(read_text(shop.text), read_text(change))
    assert isinstance(model, dict)
    model.pop("examples")
    return json.dumps(model)


@pytest.mark.parametrize("condition", codes_in_first_column("Conditions"))
def test_every_condition_of_the_reference_may_stand_in_a_rule(condition: str) -> None:
    when = f"{{all: [{{signal: asked}}, {condition}]}}"
    rule = f"{{rule: tried, from: [none, visitor], when: {when}}}"
    load_model(whole_model_with(f"stages: [{{key: fan, enter: [{rule}]}}]"))


@pytest.mark.parametrize("test", codes_in_first_column("Tests"))
def test_every_test_of_the_reference_may_stand_in_a_matcher(test: str) -> None:
    match = f"{{where: {{properties.colour: {test}}}}}"
    load_model(whole_model_with(f"signals: {{asked: {{match: {match}}}}}"))


@pytest.mark.parametrize("matcher", codes_in_first_column("Matchers"))
def test_every_matcher_of_the_reference_may_stand_in_a_signal(matcher: str) -> None:
    load_model(whole_model_with(f"signals: {{tried: {{match: {matcher}}}}}"))


def test_every_warning_there_is_stands_in_the_guide_and_no_other() -> None:
    sources = [
        Path(module.__file__ or "").read_text() for module in (lint, lint_rules, lint_signals)
    ]
    made = {
        code
        for source in sources
        for code in re.findall(r"ModelWarning\([^,]+(?:\[[^]]*\])?[^,]*, \"(\w+)\"", source)
    }
    assert set(codes_in_first_column("Warnings")) == made


@pytest.mark.parametrize("key", BUNDLED)
def test_the_guide_names_the_stages_and_numbers_of_every_bundled_model(key: str) -> None:
    text = bundled_model(key)
    stages = " → ".join(stage.key for stage in load_model(text).stages)
    about, numbers = re.findall(rf"^\| `{key}` \| (.*) \|$", GUIDE, flags=re.MULTILINE)
    assert about.endswith(f"| {stages}")
    for duration in re.findall(r"`(P\w+)`", numbers):
        assert re.search(rf"\b{duration}\b", text), duration


def test_output_that_differs_from_what_is_shown_is_found() -> None:
    assert agree(("one", "…", "four"), ["one", "two", "three", "four"])
    assert agree(("one", "…"), ["one"])
    assert not agree(("one", "…", "four"), ["one", "two", "three"])
    assert not agree(("one",), ["one", "two"])
    assert not agree(("o.e",), ["one"])


def test_a_fragment_replaces_rules_and_adds_to_stages() -> None:
    first: JsonObject = {"rule": "a", "when": {"signal": "x"}}
    old: JsonObject = {"stages": [{"key": "s", "enter": [first]}, {"key": "t"}]}
    changed: JsonObject = {"rule": "a", "when": {"signal": "y"}}
    added: JsonObject = {"rule": "b", "when": {"signal": "x"}}
    new: JsonObject = {"stages": [{"key": "s", "enter": [changed, added]}, {"key": "u"}]}
    assert merged(old, new, "t") == {
        "stages": [{"key": "s", "enter": [changed, added]}, {"key": "u"}, {"key": "t"}]
    }
