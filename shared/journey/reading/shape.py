"""Reading plain JSON values into typed ones, with every fault noted at its path.

A reader never stops at a fault: it notes it and goes on with a stand-in, so that one reading
finds all that is wrong. Nothing read may be used while there are faults.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from typing import Final, TypeVar

from shared.errors import Fault, ModelRefused
from shared.instants import SECOND
from shared.journey.durations import Duration, parse_duration
from shared.journey.values import is_number
from shared.touchpoints import JsonObject, JsonValue

ROOT: Final = ""
DEEPEST: Final = 16
"""Objects and lists inside one another; the document itself is 1."""

MOST_FAULTS: Final = 100
KEY: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}", re.ASCII)

_PLAIN_STEP: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_Choice = TypeVar("_Choice", bound=str)


class _Absent(Enum):
    """What a member has that should be there and is not; its fault is noted already."""

    ABSENT = 0


_ABSENT: Final = _Absent.ABSENT


def member_path(path: str, name: str) -> str:
    """Return the path of the member *name* of the object at *path*."""
    if not _PLAIN_STEP.fullmatch(name):
        return f"{path}[{json.dumps(name, ensure_ascii=False)}]"
    return f"{path}.{name}" if path else name


def item_path(path: str, index: int) -> str:
    """Return the path of an item, counted from 0, of the list at *path*."""
    return f"{path}[{index}]"


def refused(code: str, message: str) -> ModelRefused:
    """Return a refusal of the whole document."""
    return ModelRefused(message, faults=[Fault(ROOT, code, message)])


class Faults:
    """What was found wrong so far, in the order in which it was found."""

    def __init__(self) -> None:
        self._found: list[Fault] = []

    def note(self, path: str, code: str, message: str) -> None:
        """Remember a fault, up to 100; *message* says what would be right."""
        if len(self._found) < MOST_FAULTS:
            self._found.append(Fault(path, code, message))

    def refuse_if_any(self) -> None:
        """Raise ModelRefused with all faults noted; return if there are none."""
        if not self._found:
            return
        first = self._found[0]
        more = f" (and {len(self._found) - 1} more)" if len(self._found) > 1 else ""
        place = f"{first.path}: " if first.path else ""
        raise ModelRefused(f"{place}{first.message}{more}", faults=self._found)


class Node:
    """One value of the document, its path, and where its faults go."""

    __slots__ = ("faults", "path", "value")

    def __init__(self, value: JsonValue | _Absent, path: str, faults: Faults) -> None:
        self.value = value
        self.path = path
        self.faults = faults

    def refuse(self, code: str, message: str) -> None:
        """Note a fault of this value, unless it is absent, which is noted already."""
        if self.value is not _ABSENT:
            self.faults.note(self.path, code, message)

    def json(self) -> JsonValue:
        """Return the value as it is, null if absent."""
        return None if isinstance(self.value, _Absent) else self.value

    def members(self, required: Collection[str], optional: Collection[str] = ()) -> "MemberNodes":
        """Return the members of an object that may have these and no others."""
        given = self.value
        if not isinstance(given, dict):
            self.refuse("wrong_type", "must be an object")
            return MemberNodes(self, dict.fromkeys(required, _ABSENT))
        if not given:
            self.refuse("empty", "must not be empty")
        known = [*required, *optional]
        for name in given:
            if name not in known:
                path = member_path(self.path, name)
                self.faults.note(path, "unknown_key", f"is not known here; {_one_of(known)}")
        if given:
            for name in required:
                if name not in given:
                    self.faults.note(member_path(self.path, name), "missing", "is required")
        absent: dict[str, JsonValue | _Absent] = dict.fromkeys(required, _ABSENT)
        return MemberNodes(self, {**absent, **given})

    def entries(self) -> Iterator[tuple[str, "Node"]]:
        """Go through an object with keys of the author's choice; it must not be empty."""
        if not isinstance(self.value, dict):
            self.refuse("wrong_type", "must be an object")
        elif not self.value:
            self.refuse("empty", "must not be empty")
        else:
            for name, value in self.value.items():
                yield name, Node(value, member_path(self.path, name), self.faults)

    def items(self) -> list["Node"]:
        """Return the items of a list, which must not be empty."""
        if not isinstance(self.value, list):
            self.refuse("wrong_type", "must be a list")
            return []
        if not self.value:
            self.refuse("empty", "must not be empty")
        return [
            Node(value, item_path(self.path, index), self.faults)
            for index, value in enumerate(self.value)
        ]

    def one_or_more(self) -> list["Node"]:
        """Return the items of a list, or this value itself where it is no list."""
        return self.items() if isinstance(self.value, list) else [self]

    def json_object(self) -> JsonObject:
        """Return any JSON object."""
        if isinstance(self.value, dict):
            return self.value
        self.refuse("wrong_type", "must be an object")
        return {}

    def text(self) -> str:
        """Return a string that is not empty."""
        if not isinstance(self.value, str):
            self.refuse("wrong_type", "must be a string")
            return ""
        if not self.value:
            self.refuse("empty", "must not be empty")
        return self.value

    def key(self) -> str:
        """Return a string with the pattern of keys."""
        text = self.text()
        if text:
            self.check_key(text)
        return text

    def check_key(self, text: str) -> None:
        """Note a fault unless *text*, this value or its name, has the pattern of keys."""
        if not KEY.fullmatch(text):
            self.refuse("bad_key", "must begin with a-z and go on with a-z, 0-9, _ or -, up to 64")

    def one_of(self, choices: Collection[_Choice], kind: str) -> _Choice:
        """Return one of *choices*; *kind* says what they are, as in ``unknown_KIND``."""
        text = self.text()
        for choice in choices:
            if choice == text:
                return choice
        if text:
            self.refuse(f"unknown_{kind}", f"{text!r} is no {kind} here; {_one_of(choices)}")
        return next(iter(choices))

    def reference(self, known: Collection[str], kind: str) -> str:
        """Return the key of something the document must define."""
        text = self.text()
        if text:
            self.check_reference(text, known, kind)
        return text

    def check_reference(self, text: str, known: Collection[str], kind: str) -> None:
        """Note a fault unless the document defines *text*, this value or its name."""
        if text not in known:
            self.refuse(f"unknown_{kind}", f"{text!r} is no {kind} here; {_one_of(known)}")

    def boolean(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            self.refuse("wrong_type", "must be true or false")
        return self.value is True

    def integer(self, lowest: int) -> int:
        """Return an integer of at least *lowest*."""
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            if self.value >= lowest:
                return self.value
            self.refuse("too_small", f"must be at least {lowest}")
        else:
            self.refuse("wrong_type", "must be an integer")
        return lowest

    def number(self) -> int | float:
        """Return a number."""
        value = self.json()
        if is_number(value):
            return value
        self.refuse("wrong_type", "must be a number")
        return 0

    def duration(self) -> Duration:
        """Return a duration."""
        text = self.text()
        try:
            return parse_duration(text or "P1D")
        except ValueError as error:
            self.refuse("bad_duration", f"{text!r} {error}")
            return Duration(text, SECOND)


class MemberNodes(Mapping[str, Node]):
    """The members of one object; required ones are always there, if only as absent."""

    def __init__(self, owner: Node, values: Mapping[str, JsonValue | _Absent]) -> None:
        self._owner = owner
        self._values = values

    def __getitem__(self, name: str) -> Node:
        path = member_path(self._owner.path, name)
        return Node(self._values[name], path, self._owner.faults)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _one_of(choices: Collection[str]) -> str:
    known = sorted(filter(None, choices))
    if not known:
        return "there are none"
    shown = known[:12]
    return f"known: {', '.join(shown)}{', ...' if len(known) > len(shown) else ''}"
