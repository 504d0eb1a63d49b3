"""Reading golden journeys, and comparing an answer with what one expects.

The format is told in ``tests/golden/journeys/README.md``.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from shared.instants import DAY, HOUR, MINUTE, SECOND, Instant, parse_rfc3339, rfc3339
from shared.touchpoints import Touchpoint

Document: TypeAlias = dict[str, Any]

FOLDER: Final = Path(__file__).parent / "journeys"
ORIGIN: Final = parse_rfc3339("2026-01-01T00:00:00Z")

_UNITS: Final = {"d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND, "us": 1}
_TERM: Final = re.compile(r"([+-]?)(\d+)(us|[dhms])")


@dataclass(frozen=True)
class GoldenJourney:
    """One journey worked out by hand: a model, what happened, and what follows."""

    name: str
    cites: str
    document: Document
    touchpoints: tuple[Touchpoint, ...]
    as_of: Instant
    expect: Document


def golden_journeys() -> Iterator[GoldenJourney]:
    """Yield all golden journeys, file by file."""
    for path in sorted(FOLDER.glob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for journey in content["journeys"]:
            yield GoldenJourney(
                name=f"{path.stem}: {journey['name']}",
                cites=journey["cites"],
                document={**content["model"], **journey.get("with", {})},
                touchpoints=tuple(map(_touchpoint, journey["given"], _event_ids())),
                as_of=instant(journey["as_of"]),
                expect=journey["expect"],
            )


def instant(text: str) -> Instant:
    """Return the instant that *text* such as ``14d-1us`` names."""
    terms = list(_TERM.finditer(text))
    assert "".join(term.group() for term in terms) == text, f"not a time: {text}"
    signed = ((-1 if sign == "-" else 1, int(n), unit) for sign, n, unit in map(_groups, terms))
    return ORIGIN + sum(sign * number * _UNITS[unit] for sign, number, unit in signed)


def _groups(term: re.Match[str]) -> tuple[str, str, str]:
    return term[1], term[2], term[3]


def _event_ids() -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"e{number}"


def _touchpoint(given: Document, event_id: str) -> Touchpoint:
    usual = {"source": "s", "event_id": event_id, "channel": "web"}
    empty: Document = {"properties": {}, "context": {}, "traits": {}}
    return Touchpoint(**{**usual, **empty, **given, "at": instant(given["at"])})


def seen(expect: Document, journey: Document) -> Document:
    """Return of *journey* what *expect* names, in the short form of golden files."""
    return {name: _look(name, expected, journey) for name, expected in expect.items()}


def _look(name: str, expected: Any, journey: Document) -> object:  # noqa: ANN401  parsed YAML
    match name:
        case "stage" | "since" | "rule" | "label" | "role" | "phase" | "rank":
            return _part(journey["stage"], "key" if name == "stage" else name)
        case "activity" | "activity_since" | "last_active_at":
            field = {"activity": "state", "activity_since": "since"}.get(name, name)
            return _part(journey["activity"], field)
        case "moves" | "activity_moves" | "transitions":
            axes = {"moves": ["stage"], "activity_moves": ["activity"]}
            wanted = axes.get(name, ["stage", "activity"])
            made = [move for move in journey["transitions"] if move["axis"] in wanted]
            padded = [*expected, *[{"to": "nothing more"}] * (len(made) - len(expected))]
            return [_move(one, move) for one, move in zip(padded, made, strict=False)]
        case "counts" | "scores":
            return {key: journey[name][key] for key in expected}
        case "next":
            return journey["next"] and {**journey["next"], "at": _short(journey["next"]["at"])}
        case _:
            return journey[name]


def normal(expect: Document) -> Document:
    """Return *expect* with its times written the one way in which *seen* writes them."""
    text = json.dumps(expect)
    return dict(json.loads(text, object_hook=_with_normal_times))


def _with_normal_times(value: Document) -> Document:
    times = {"at", "since", "activity_since", "last_active_at", "base_at"}
    return {
        name: _short(rfc3339(instant(one))) if name in times else one for name, one in value.items()
    }


def _part(whole: Document | None, field: str) -> object:
    if whole is None:
        return None
    times = {"since", "last_active_at"}
    return _short(whole[field]) if field in times else whole[field]


def _move(expected: Document, move: Document) -> Document:
    cause = move["cause"]
    by, deadline = cause.get("touchpoint"), cause.get("deadline")
    flat = {
        **move,
        "at": _short(move["at"]),
        "by": by and _name(by),
        "evidence": [_name(proof) for proof in cause.get("evidence", [])],
        "deadline": deadline
        and {
            **deadline,
            "base_at": _short(deadline["base_at"]),
            "touchpoint": deadline["touchpoint"] and _name(deadline["touchpoint"]),
        },
    }
    return {name: flat[name] for name in expected}


def _name(identity: Document) -> str:
    source, event_id = identity["source"], identity["event_id"]
    return event_id if source == "s" else f"{source}/{event_id}"


def _short(time: str) -> str:
    """Return RFC 3339 *time* as days and microseconds from the origin of golden files."""
    days, rest = divmod(parse_rfc3339(time) - ORIGIN, DAY)
    return f"{days}d+{rest}us"
