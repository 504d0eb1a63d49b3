"""YAML from its parser's events.

PyYAML's own constructors know YAML 1.1 (``on`` and ``10:30`` are strings here), forget duplicate
keys and follow aliases without end.
"""

from collections.abc import Iterator
from typing import Final

import yaml

from shared.journey.reading.raw import Members, Raw, Unfit, plain_scalar
from shared.journey.reading.shape import DEEPEST, refused

_TEXT_TAGS: Final = frozenset({"tag:yaml.org,2002:str", "!"})
_FOREIGN_TAG: Final = Unfit("tag", "has a tag; models are plain JSON values")


def read_yaml(text: str) -> Raw:
    """Read the one YAML document of *text*.

    Raises:
        ModelRefused: It is not YAML, holds several documents, or is nested over 16 levels deep.
    """
    try:
        return _document(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = error.problem or error.context or "it cannot be read"
        raise refused("syntax", f"The document is not YAML{place}: {problem}.") from error
    except yaml.YAMLError as error:
        raise refused("syntax", f"The document is not YAML: {error}.") from error


def _document(events: Iterator[yaml.Event]) -> Raw:
    content: Raw = None
    started = False
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            if started:
                raise refused("syntax", "The text holds more than one document.")
            started = True
            content = _Composing(events).value(next(events), 1)
    return content


class _Composing:
    """Builds raw values; an alias shares what its anchor holds, even around itself."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._anchors: dict[str, Raw] = {}

    def value(self, event: yaml.Event, depth: int) -> Raw:
        """Return the value that begins with *event*, *depth* objects and lists down."""
        if isinstance(event, yaml.ScalarEvent):
            return self._anchored(event, _scalar(event))
        if isinstance(event, yaml.CollectionStartEvent):
            if depth > DEEPEST:
                raise refused("too_deep", f"Objects and lists are nested over {DEEPEST} levels.")
            value = self._collection(event, depth)
            return value if event.tag is None else _FOREIGN_TAG
        anchor = event.anchor if isinstance(event, yaml.AliasEvent) else None
        if anchor is None or anchor not in self._anchors:
            raise refused("syntax", f"The alias *{anchor} has no anchor before it.")
        return self._anchors[anchor]

    def _collection(self, event: yaml.CollectionStartEvent, depth: int) -> Raw:
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Raw] = []
            self._anchored(event, items)
            items.extend(self._values(depth + 1, yaml.SequenceEndEvent))
            return items
        members = Members([])
        self._anchored(event, members)
        contents = self._values(depth + 1, yaml.MappingEndEvent)
        members.pairs.extend(zip(contents, contents, strict=True))
        return members

    def _values(self, depth: int, end: type[yaml.Event]) -> Iterator[Raw]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield self.value(event, depth)

    def _anchored(self, event: yaml.NodeEvent, value: Raw) -> Raw:
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value


def _scalar(event: yaml.ScalarEvent) -> Raw:
    if event.tag is not None:
        return event.value if event.tag in _TEXT_TAGS else _FOREIGN_TAG
    return plain_scalar(event.value) if event.implicit[0] else event.value
