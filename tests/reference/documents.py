"""Stage model documents with their defaults filled in, and the version made of them.

Where the specification gives a default a value, it is written out; where it says that something
is not there ("no scores, cycle, lineage, examples", no ``ignore``, no rules), it stays away.
"""

import hashlib

import rfc8785

from tests.reference.json_values import Document


def filled(document: Document) -> Document:
    """Return *document* with every default that has a value written out."""
    full = {
        "entity": "customer",
        "title": spoken(document["key"]),
        **document,
        "stages": [
            _filled_stage(stage, document["stages"][:rank])
            for rank, stage in enumerate(document["stages"])
        ],
    }
    if "restart" in document.get("cycle", {}):
        usual = [stage["key"] for stage in full["stages"] if not stage["terminal"]]
        full["cycle"] = {
            "restart": [{"from": usual, **rule} for rule in document["cycle"]["restart"]]
        }
    return full


def _filled_stage(stage: Document, lower: list[Document]) -> Document:
    full = {"label": spoken(stage["key"]), "phase": None, "terminal": False, **stage}
    usual = ["none", *(one["key"] for one in lower if not one.get("terminal"))]
    if "enter" in stage:
        full["enter"] = [{"from": usual, **rule} for rule in stage["enter"]]
    if "leave" in stage:
        full["leave"] = [{"idle": False, **rule} for rule in stage["leave"]]
    return full


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
