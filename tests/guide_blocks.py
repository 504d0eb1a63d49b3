"""The fenced blocks of a guide, and what a reader who follows it gets to see.

A block's info string says what a reader does with it:

* ``yaml FILE``, ``json FILE``: writes it to that file.
* ``yaml fragment of=FILE``: puts it into the model in that file. ``before=KEY`` puts a new stage
  before another one; ``as=OTHER`` leaves the file alone and writes the result to another one.
* ``json fragment of=FILE``: adds its lines to the end of that file; ``as=OTHER`` likewise.
* ``console``: runs what follows each ``$`` and sees the lines after it, where a line ``…`` stands
  for any lines, and ``…`` at the end of one for any rest. With ``on=system`` it wants a system
  that runs.
"""

import contextlib
import io
import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.journey.reading.text import read_text
from shared.touchpoints import JsonValue

_FENCE: Final = re.compile(r"^```(?P<info>\S.*)\n(?P<text>(?:.*\n)*?)```$", re.MULTILINE)
_IDENTITIES: Final = ("key", "rule", "name")
ANY_LINES: Final = "…"


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; ``line`` is that of its text in the guide, ``file`` what it writes."""

    line: int
    language: str
    text: str
    file: str
    options: dict[str, str]

    @property
    def fragment(self) -> bool:
        """Whether it goes into a file that there is already."""
        return "of" in self.options

    @property
    def wants_a_system(self) -> bool:
        """Whether its commands talk to a running system."""
        return self.options.get("on") == "system"


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a console block and the lines the guide shows of its output."""

    line: int
    command: str
    shown: tuple[str, ...]


def blocks_of(guide: str) -> list[Block]:
    """Return the fenced blocks of *guide* in its order."""
    return [_block(guide, found) for found in _FENCE.finditer(guide)]


def _block(guide: str, found: re.Match[str]) -> Block:
    language, *words = found["info"].split()
    options = dict(word.split("=", 1) for word in words if "=" in word)
    names = [word for word in words if "=" not in word and word != "fragment"]
    file = options.get("as", options.get("of", "".join(names)))
    line = guide.count("\n", 0, found.start()) + 2
    return Block(line, language, found["text"], file, options)


def commands_of(block: Block) -> Iterator[Command]:
    """Yield the commands of a console block, each with what the guide shows of its output."""
    prompts = [part for part in re.split(r"^(?=\$ )", block.text, flags=re.MULTILINE) if part]
    line = block.line
    for part in prompts:
        command, *shown = part.splitlines()
        yield Command(line, command.removeprefix("$ "), tuple(shown))
        line += part.count("\n")


def write(block: Block, folder: Path) -> None:
    """Do in *folder* what a reader does with a block that holds a file or a part of one."""
    path = folder / block.file
    if not block.fragment:
        path.write_text(block.text, encoding="utf-8")
        return
    before = (folder / block.options["of"]).read_text(encoding="utf-8")
    if block.language == "json":
        path.write_text(before + block.text, encoding="utf-8")
        return
    result = merged(read_text(before), read_text(block.text), block.options.get("before"))
    path.write_text(json.dumps(result, ensure_ascii=False), encoding="utf-8")


def merged(old: JsonValue, new: JsonValue, before: str | None = None) -> JsonValue:
    """Return *old* with *new* put in.

    Objects and stages are merged member by member; a rule or an example replaces the one of its
    name; what there is none of yet comes last, a stage before the stage *before*.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        return old | {
            name: merged(old[name], value, before) if name in old else value
            for name, value in new.items()
        }
    if isinstance(old, list) and isinstance(new, list) and all(map(_identity, [*old, *new])):
        return _merged_items(old, new, before)
    return new


def _merged_items(
    old: list[JsonValue], new: list[JsonValue], before: str | None
) -> list[JsonValue]:
    items = list(old)
    for item in new:
        places = [index for index, one in enumerate(items) if _identity(one) == _identity(item)]
        if places:
            stage = isinstance(item, dict) and "key" in item
            items[places[0]] = merged(items[places[0]], item, before) if stage else item
        else:
            keys = [_identity(one) for one in items]
            items.insert(keys.index(before) if before in keys else len(items), item)
    return items


def _identity(item: JsonValue) -> str | None:
    found = (item.get(name) for name in _IDENTITIES) if isinstance(item, dict) else iter(())
    return next((one for one in found if isinstance(one, str)), None)


def run(command: str, journeyline: Callable[[list[str]], object]) -> list[str]:
    """Return the lines that *command* prints, output and errors in the order they came.

    Args:
        command: ``journeyline`` and its arguments, and perhaps a pipe into another program.
        journeyline: The program's entry; it may leave by ``SystemExit``.
    """
    own, _, piped = command.partition(" | ")
    program, *arguments = shlex.split(own)
    assert program == "journeyline", f"a guide runs journeyline, not {program}"
    printed = io.StringIO()
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        contextlib.suppress(SystemExit),
    ):
        journeyline(arguments)
    text = printed.getvalue()
    if piped:
        text = subprocess.run(
            shlex.split(piped), input=text, capture_output=True, text=True, check=True
        ).stdout
    return [line.rstrip() for line in text.splitlines()]


def agree(shown: tuple[str, ...], printed: list[str]) -> bool:
    """Tell whether *printed* is what is *shown*, where a line ``…`` stands for any lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == ANY_LINES else f"{_begun(line.rstrip())}\n"
        for line in shown
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


def _begun(line: str) -> str:
    """Return the pattern of a line, which ends as it likes after ``…``."""
    if line.endswith(ANY_LINES):
        return re.escape(line.removesuffix(ANY_LINES)) + ".*"
    return re.escape(line)
