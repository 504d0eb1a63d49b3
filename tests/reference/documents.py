"""Stage model documents with their defaults filled in, and the version made of them."""

import hashlib

import rfc8785

from tests.reference.json_values import Document

_NO_STAGE_DEFAULTS: Document = {"phase": None, "terminal": False, "enter": [], "leave": []}


def filled(document: Document) -> Document:
    """Return *document* with every default written out."""
    defaults: Document = {
        "entity": "customer",
        "title": spoken(document["key"]),
        "scores": {},
        "cycle": {"restart": []},
        "lineage": {},
        "examples": [],
    }
    return {
        **defaults,
        **document,
        "activity": {"ignore": None, **document["activity"]},
        "stages": [
            {"label": spoken(stage["key"]), **_NO_STAGE_DEFAULTS, **stage}
            for stage in document["stages"]
        ],
    }


def version(document: Document) -> str:
    """Return the version of *document*: a hash over all that has a meaning to the fold."""
    meaning = {
        key: value for key, value in filled(document).items() if key not in {"title", "examples"}
    }
    meaning["stages"] = [
        {key: value for key, value in stage.items() if key not in {"label", "goal"}}
        for stage in meaning["stages"]
    ]
    return hashlib.sha256(rfc8785.dumps(meaning)).hexdigest()


def spoken(key: str) -> str:
    """Return the title or label that a key has by default."""
    words = key.replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]
