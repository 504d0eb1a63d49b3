"""Checking a policy document, with every fault noted at its path."""

import re
from collections.abc import Iterable
from typing import Final

from shared.errors import Fault, PolicyRefused
from shared.identity.globs import WILDCARD
from shared.identity.identifiers import KIND_PATTERN
from shared.identity.normalisation import EMAIL, normalise
from shared.identity.policy import ANY_KIND, BlockRule, KindRule, Policy
from shared.touchpoints import JsonObject, JsonValue

FORMAT: Final = 1
MOST_FAULTS: Final = 100

_LIMIT: Final = re.compile("[1-9][0-9]{0,8}", re.ASCII)


class Checking:
    """Reads a document into a policy and notes every fault on the way."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def policy(self, document: JsonValue) -> Policy:
        """Return the policy, or raise PolicyRefused with what was noted."""
        members = self._members(document, "", required=("format", "kinds"), optional=("blocked",))
        if "format" in members and _text(members["format"]) != str(FORMAT):
            self._note("format", "bad_format", f"must be {FORMAT}, the format this reads")
        kinds = [
            self._kind_rule(item, path) for path, item in self._items(members, "kinds", "kinds")
        ]
        blocked = [
            self._block_rule(item, path)
            for path, item in self._items(members, "blocked", "blocked")
        ]
        self._note_twice("kinds", (rule.kind for rule in kinds))
        self._refuse_if_any()
        return Policy(tuple(kinds), tuple(blocked))

    def _kind_rule(self, item: JsonValue, path: str) -> KindRule:
        optional = ("unique", "max_per_customer")
        members = self._members(item, path, required=("kind",), optional=optional)
        kind = self._kind(members, path)
        unique = _text(members.get("unique", False))
        if unique not in {"true", "false"}:
            self._note(f"{path}.unique", "wrong_type", "must be true or false")
        given = members.get("max_per_customer")
        if given is None:
            return KindRule(kind, 1 if unique == "true" else None)
        if unique == "true":
            self._note(path, "contradiction", "must have unique or max_per_customer, not both")
        limit = _text(given)
        if limit is None or not _LIMIT.fullmatch(limit):
            self._note(f"{path}.max_per_customer", "bad_number", "must be a whole number from 1")
            return KindRule(kind)
        return KindRule(kind, int(limit))

    def _block_rule(self, item: JsonValue, path: str) -> BlockRule:
        optional = ("values", "patterns")
        members = self._members(item, path, required=("kind",), optional=optional)
        kind = self._kind(members, path, others=(ANY_KIND,))
        values = self._texts(members, "values", path)
        patterns = self._texts(members, "patterns", path)
        for index, pattern in enumerate(patterns):
            if pattern and WILDCARD not in pattern:
                message = "must hold a *; what holds none belongs in values"
                self._note(f"{path}.patterns[{index}]", "bad_pattern", message)
        if not (values or patterns):
            self._note(path, "empty", "must have values or patterns")
        spelt = (_spelt(kind, value) for value in values)
        lowered = (_lowered(kind, pattern) for pattern in patterns)
        return BlockRule(kind, tuple(dict.fromkeys(spelt)), tuple(dict.fromkeys(lowered)))

    def _kind(self, members: JsonObject, path: str, others: Iterable[str] = ()) -> str:
        kind = members.get("kind", "")
        if isinstance(kind, str) and (kind in others or KIND_PATTERN.fullmatch(kind)):
            return kind
        if "kind" in members:
            also = "".join(f", or {other}" for other in others)
            message = f"must be a kind such as user_id ({KIND_PATTERN.pattern}){also}"
            self._note(f"{path}.kind", "bad_kind", message)
        return ""

    def _texts(self, members: JsonObject, name: str, path: str) -> list[str]:
        texts: list[str] = []
        for place, item in self._items(members, name, f"{path}.{name}"):
            text = (_text(item) or "").strip()
            if not text:
                self._note(place, "wrong_type", "must be a text that is not empty")
            texts.append(text)
        return texts

    def _items(self, members: JsonObject, name: str, path: str) -> Iterable[tuple[str, JsonValue]]:
        given = members.get(name, [])
        if not isinstance(given, list):
            self._note(path, "wrong_type", "must be a list")
            return []
        return [(f"{path}[{index}]", item) for index, item in enumerate(given)]

    def _members(
        self, value: JsonValue, path: str, *, required: tuple[str, ...], optional: tuple[str, ...]
    ) -> JsonObject:
        known = (*required, *optional)
        if not isinstance(value, dict):
            self._note(path, "wrong_type", f"must be an object with {', '.join(known)}")
            return {}
        start = f"{path}." if path else ""
        for name in required:
            if name not in value:
                self._note(f"{start}{name}", "missing", "is required")
        for name in value:
            if name not in known:
                message = f"is not known here; it may have {', '.join(known)}"
                self._note(f"{start}{name}", "unknown_key", message)
        return value

    def _note_twice(self, path: str, kinds: Iterable[str]) -> None:
        seen: set[str] = set()
        for index, kind in enumerate(kinds):
            if kind and kind in seen:
                self._note(f"{path}[{index}].kind", "duplicate", f"must list {kind} once only")
            seen.add(kind)

    def _note(self, path: str, code: str, message: str) -> None:
        if len(self._faults) < MOST_FAULTS:
            self._faults.append(Fault(path, code, message))

    def _refuse_if_any(self) -> None:
        if not self._faults:
            return
        first = self._faults[0]
        raise PolicyRefused(f"{first.path or 'The policy'} {first.message}.", faults=self._faults)


def _text(scalar: JsonValue) -> str | None:
    """Return *scalar* as it is written in JSON; None if it is a list, an object or a fraction."""
    if scalar is None:
        return "null"
    if isinstance(scalar, bool):
        return "true" if scalar else "false"
    return str(scalar) if isinstance(scalar, str | int) else None


def _spelt(kind: str, value: str) -> str:
    return _lowered(kind, normalise(kind, value, phone_region=None).value)


def _lowered(kind: str, text: str) -> str:
    return text.lower() if kind in {ANY_KIND, EMAIL} else text
