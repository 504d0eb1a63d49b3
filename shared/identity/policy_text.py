"""From the text of a policy to plain values, by YAML's composer, in which every scalar is text."""

from typing import Final

import yaml

from shared.errors import Fault, PolicyRefused
from shared.touchpoints import JsonValue

MOST_BYTES: Final = 256 * 1024


def plain_value(document: str | bytes) -> JsonValue:
    """Return what *document*, YAML or JSON, says: dicts, lists, and each scalar as its text.

    So an unquoted ``null``, ``no`` or ``0`` is that very text. An empty document is an empty text.

    Raises:
        PolicyRefused: The document is over 256 KiB or not YAML, a mapping has a key twice or one
            that is no scalar, or there are aliases, which could unfold without end.
    """
    try:
        data = document.encode() if isinstance(document, str) else document
        text = data.decode("utf-8-sig")
    except UnicodeError as error:
        raise _refused("bad_text", "The policy must be UTF-8 text.") from error
    if len(data) > MOST_BYTES:
        raise _refused("too_large", "The policy must not be over 256 KiB.")
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise _refused("syntax", f"The policy is not YAML{place}: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise _refused("syntax", f"The policy is not YAML: {error}.") from error
    return "" if root is None else _Reading().value(root)


class _Reading:
    """Turns nodes into values, each node once."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def value(self, node: yaml.Node) -> JsonValue:
        """Return the value of *node*."""
        if id(node) in self._seen:
            raise _refused("alias", f"Aliases are not read here{_line(node)}; write it out.")
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item) for item in node.value]
        text: str = node.value
        return text

    def _mapping(self, node: yaml.MappingNode) -> JsonValue:
        members: dict[str, JsonValue] = {}
        for key, value in node.value:
            name = self.value(key)
            if not isinstance(name, str):
                raise _refused("bad_key", f"A key{_line(key)} must be a plain name.")
            if name in members:
                raise _refused("duplicate", f"The key {name}{_line(key)} is there twice.")
            members[name] = self.value(value)
        return members


def _line(node: yaml.Node) -> str:
    return f" at line {node.start_mark.line + 1}"


def _refused(code: str, message: str) -> PolicyRefused:
    return PolicyRefused(message, faults=[Fault("", code, message)])
