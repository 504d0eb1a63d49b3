"""The canonical form of a document, and the version that names it."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias, cast

import rfc8785

from shared.journey.reading.stages import Outline, default_label, enter_from, restart_from
from shared.touchpoints import JsonObject, JsonValue

_Canonical: TypeAlias = (
    "bool | int | float | str | Sequence[_Canonical] | Mapping[str, _Canonical] | None"
)

_SHOWN_ONLY: Final = frozenset({"title", "label", "goal", "examples"})


def with_defaults(document: JsonObject, outline: Outline) -> JsonObject:
    """Return *document*, which is free of faults, with every default that can be written.

    What is absent by default and may not be empty (``ignore``, ``scores``, ``cycle``, ``enter``,
    ``within`` and the like) stays absent, so that the result loads to the same model again.
    """
    return {
        "entity": "customer",
        "title": default_label(str(document["key"])),
        **document,
        "stages": [
            _stage(stage, enter_from(outline, rank))
            for rank, stage in enumerate(_objects(document["stages"]))
        ],
        **_cycle(document, restart_from(outline)),
    }


def version_of(document: JsonObject) -> str:
    """Return the version of a document with defaults: sha256 over its RFC 8785 form, hex.

    Title, labels, goals and examples are left out: to rename a label makes no new version.
    """
    kept: JsonObject = {name: item for name, item in document.items() if name not in _SHOWN_ONLY}
    kept["stages"] = [
        {name: item for name, item in stage.items() if name not in _SHOWN_ONLY}
        for stage in _objects(document["stages"])
    ]
    return hashlib.sha256(rfc8785.dumps(cast("_Canonical", kept))).hexdigest()


def _stage(stage: JsonObject, default_from: tuple[str, ...]) -> JsonObject:
    label = default_label(str(stage["key"]))
    filled: JsonObject = {"label": label, "phase": None, "terminal": False, **stage}
    if "enter" in stage:
        filled["enter"] = [_with_from(rule, default_from) for rule in _objects(stage["enter"])]
    if "leave" in stage:
        filled["leave"] = [{"idle": False, **rule} for rule in _objects(stage["leave"])]
    return filled


def _cycle(document: JsonObject, default_from: tuple[str, ...]) -> JsonObject:
    cycle = document.get("cycle")
    if not isinstance(cycle, dict):
        return {}
    rules = [_with_from(rule, default_from) for rule in _objects(cycle["restart"])]
    return {"cycle": {"restart": list[JsonValue](rules)}}


def _with_from(rule: JsonObject, default_from: tuple[str, ...]) -> JsonObject:
    return {"from": list[JsonValue](default_from), **rule}


def _objects(value: JsonValue) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
