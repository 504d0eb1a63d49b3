"""From text to JSON values, with the limits on a document's size."""

import json
import re
from typing import Final

from shared.journey.reading.raw import NOT_A_NUMBER, Members, Raw, Unfit, integer, real
from shared.journey.reading.shape import DEEPEST, ROOT, Faults, item_path, member_path, refused
from shared.journey.reading.yaml_events import read_yaml
from shared.touchpoints import JsonObject, JsonValue

MOST_BYTES: Final = 256 * 1024
MOST_VALUES: Final = 100_000
MOST_CHARACTERS: Final = 4 * 1024 * 1024

_HALF_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def read_text(document: str | bytes) -> JsonValue:
    """Read a document, YAML 1.2 (core schema) or JSON, into JSON values.

    Raises:
        ModelRefused: The text is not YAML or JSON, has a duplicate key or a key that is no
            string, holds a number that JSON cannot carry, or is over a limit: 256 KiB, 16 levels
            of objects and lists, and, with aliases written out, 100,000 values or 4 Mi characters.
    """
    text = _decoded(document)
    try:
        raw = _read_json(text)
    except RecursionError as error:
        raise refused("too_deep", f"Objects and lists are nested over {DEEPEST} levels.") from error
    except json.JSONDecodeError:
        raw = read_yaml(text)
    faults = Faults()
    value = _WritingOut(faults).value(raw, ROOT, 1)
    faults.refuse_if_any()
    return value


def _decoded(document: str | bytes) -> str:
    try:
        data = document.encode() if isinstance(document, str) else document
        text = data.decode("utf-8-sig")
    except UnicodeError as error:
        raise refused("bad_text", "The document is not UTF-8 text.") from error
    if len(data) > MOST_BYTES:
        raise refused("too_large", "The document is over 256 KiB.")
    return text


def _read_json(text: str) -> Raw:
    raw: Raw = json.loads(
        text,
        object_pairs_hook=lambda pairs: Members(list(pairs)),
        parse_int=integer,
        parse_float=real,
        parse_constant=lambda _: NOT_A_NUMBER,
    )
    return raw


class _WritingOut:
    """Turns raw values into JSON values, aliases written out, and keeps count of them."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._values = 0
        self._characters = 0

    def value(self, raw: Raw, path: str, depth: int) -> JsonValue:
        """Return *raw*, at *path* and *depth* objects and lists down, as a JSON value."""
        self._values += 1
        if self._values > MOST_VALUES:
            raise refused("too_many_values", f"The document holds over {MOST_VALUES:,} values.")
        match raw:
            case Unfit(code, message):
                self._faults.note(path, code, message)
                return None
            case str():
                return self._text(raw, path)
            case list():
                self._check_depth(depth)
                return [
                    self.value(item, item_path(path, index), depth + 1)
                    for index, item in enumerate(raw)
                ]
            case Members():
                self._check_depth(depth)
                return self._object(raw, path, depth)
            case _:
                return raw

    def _object(self, raw: Members, path: str, depth: int) -> JsonObject:
        members: JsonObject = {}
        for name, value in raw.pairs:
            if not isinstance(name, str):
                message = "has a key that is no string; quote it"
                self._faults.note(path, "bad_key", message)
                continue
            name_path = member_path(path, self._text(name, path))
            if name in members:
                self._faults.note(name_path, "duplicate_key", "stands here twice")
            members[name] = self.value(value, name_path, depth + 1)
        return members

    def _text(self, text: str, path: str) -> str:
        self._characters += len(text)
        if self._characters > MOST_CHARACTERS:
            raise refused("too_large", "The document is over 4 Mi characters, aliases written out.")
        if _HALF_SURROGATE.search(text):
            self._faults.note(path, "bad_text", "holds half of a surrogate pair")
        return text

    def _check_depth(self, depth: int) -> None:
        if depth > DEEPEST:
            raise refused("too_deep", f"Objects and lists are nested over {DEEPEST} levels.")
