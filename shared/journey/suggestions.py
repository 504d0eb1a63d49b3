"""Suggestions: what was seen of a model, as fragments of a document that can be pasted into it.

Every line comes with the numbers it is made from. What cannot be counted is not proposed.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

import msgspec

from shared.instants import DAY
from shared.journey.lint import lint_on_observations
from shared.journey.model import StageModel
from shared.journey.observing import MOST_COUNTED, OTHERS, CountSeen, Observations, TypeSeen
from shared.touchpoints import JsonValue

MOST_TYPES: Final = 20
"""Types that are proposed as signals; those of few customers are only counted."""
FEWEST_PAUSES: Final = 100
"""Pauses that ended, below which no duration is proposed."""
LONG, VERY_LONG = 95, 99
"""Of how many in 100 pauses the proposed durations are longer."""

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_WORDS: Final = frozenset({"true", "false", "null"})
_ODD: Final = re.compile(r"[^a-z0-9_]+")


def suggest(model: StageModel, seen: Observations, outbound: Collection[str]) -> str:
    """Return what *seen* says about *model*, as YAML with comments.

    Args:
        model: The model that was watched.
        seen: What was watched of it.
        outbound: The types that are known not to be done by customers.
    """
    parts = [
        "\n".join(_head(model, seen)),
        "\n".join(_signals(model, seen, outbound)),
        "\n".join(_activity(model, seen, outbound)),
        "\n".join(_counts(seen)),
        "\n".join(_never(model, seen)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(model: StageModel, seen: Observations) -> Iterator[str]:
    touchpoints, customers = seen.touchpoints, seen.customers
    counted = f"{_number(touchpoints, 'touchpoint')} of {_number(customers, 'customer')}"
    yield f"# What {counted} say about {model.key} {model.version[:12]}."
    yield "# Paste what you agree with."


def _signals(model: StageModel, seen: Observations, outbound: Collection[str]) -> Iterator[str]:
    unknown = [
        (name, type_)
        for name, type_ in seen.types.items()
        if not type_.matched and type_.alive and name not in outbound and name != OTHERS
    ]
    if not unknown:
        return
    unknown.sort(key=lambda one: (-one[1].customers, one[0]))
    yield "# Types that no signal knows, those of most customers first."
    yield "signals:"
    taken = {signal.key for signal in model.signals}
    for name, type_ in unknown[:MOST_TYPES]:
        key = _key(name, taken)
        taken.add(key)
        yield f"  {key}:  # {_told(type_)}"
        yield f"    match: {{type: {_scalar(name)}}}"
    if len(unknown) > MOST_TYPES:
        yield f"# and {len(unknown) - MOST_TYPES:,} more types"


def _activity(model: StageModel, seen: Observations, outbound: Collection[str]) -> Iterator[str]:
    lines = [*_durations(model, seen), *_ignored(model, seen, outbound)]
    yield from (line for line in lines if line.startswith("#"))
    proposed = [line for line in lines if not line.startswith("#")]
    if proposed:
        yield "activity:"
        yield from proposed


def _durations(model: StageModel, seen: Observations) -> Iterator[str]:
    total = sum(seen.pauses.values())
    if not total:
        return
    yield f"# Pauses of a day or more after which a customer came back: {total:,}."
    if seen.first_at is not None and seen.last_at is not None:
        span = f"{seen.first_at[:10]} to {seen.last_at[:10]}"
        yield f"#   longer ones than from {span} cannot be among them"
    for name, duration in (
        ("dormant_after", model.activity.dormant_after),
        ("churned_after", model.activity.churned_after),
    ):
        longer = sum(times for days, times in seen.pauses.items() if days * DAY >= duration.micros)
        yield f"#   as long as {name} {duration.text}: {longer:,} ({_percent(longer, total)})"
    if total < FEWEST_PAUSES:
        yield f"#   fewer than {FEWEST_PAUSES} are too few to propose durations from"
        return
    long, very_long = _longer_than(seen.pauses, LONG), _longer_than(seen.pauses, VERY_LONG)
    yield f"#   {LONG} in 100 were shorter than {long} days, {VERY_LONG} than {very_long} days"
    if long < very_long:
        yield f"  dormant_after: P{long}D"
        yield f"  churned_after: P{very_long}D"


def _ignored(model: StageModel, seen: Observations, outbound: Collection[str]) -> Iterator[str]:
    sent = {
        name: type_
        for name, type_ in sorted(seen.types.items())
        if type_.alive and name in outbound
    }
    if not sent:
        return
    yield "# Done towards customers, not by them, and yet counted as signs of life:"
    yield from (f"#   {name}: {_told(type_)}" for name, type_ in sent.items())
    yield f"  ignore: {_flow(_ignoring(model, sorted(sent)))}"


def _ignoring(model: StageModel, types: list[str]) -> JsonValue:
    """Return a matcher of what *model* ignores, and of *types*."""
    activity = model.document["activity"]
    present = activity.get("ignore") if isinstance(activity, dict) else None
    if not isinstance(present, dict):
        return {"type": types}
    if present.keys() == {"type"}:
        known = present["type"]
        listed = known if isinstance(known, list) else [known]
        return {"type": [*listed, *(name for name in types if name not in listed)]}
    return {"any": [present, {"type": types}]}


def _counts(seen: Observations) -> Iterator[str]:
    if seen.counts:
        yield "# How many customers ever had so many matches at once:"
    for count in seen.counts:
        within = f" within {count.within}" if count.within else ""
        yield f"#   {count.rule} ({count.path}) asks for {count.needed} of {count.signal}{within}"
        yield f"#     {_reached(count)}"


def _reached(count: CountSeen) -> str:
    most = min(max(count.needed + 2, 5), MOST_COUNTED)
    told = [
        f"{number}: {customers:,}{' (asked for)' if number == count.needed else ''}"
        for number, customers in enumerate(count.reached[:most], start=1)
    ]
    return "at least " + " · ".join(told)


def _never(model: StageModel, seen: Observations) -> Iterator[str]:
    found = [
        warning
        for warning in lint_on_observations(model, seen)
        if warning.code in {"never_matched", "never_fired"}
    ]
    if found:
        yield "# What never happened:"
    for warning in found:
        yield f"#   {warning.path}: {warning.message}"


def _longer_than(pauses: Mapping[int, int], percent: int) -> int:
    """Return the fewest whole days that so many in 100 pauses were shorter than."""
    total, seen = sum(pauses.values()), 0
    for days in sorted(pauses):
        seen += pauses[days]
        if seen * 100 >= total * percent:
            return days + 1
    return 0


def _told(type_: TypeSeen) -> str:
    channels = sorted(type_.channels, key=lambda name: (-type_.channels[name], name))
    return (
        f"{_number(type_.touchpoints, 'touchpoint')} of {_number(type_.customers, 'customer')}; "
        f"{', '.join(channels)}"
    )


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}%"


def _key(name: str, taken: Collection[str]) -> str:
    """Return a key for a signal of the type *name* that is not *taken*."""
    plain = _ODD.sub("_", name.lower()).strip("_") or "type"
    key = plain if plain[0].isalpha() and plain not in _WORDS else f"type_{plain}"
    key = key[:60]
    number = 2
    found = key
    while found in taken:
        found = f"{key}_{number}"
        number += 1
    return found


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return msgspec.json.encode(text).decode()


def _flow(value: JsonValue) -> str:
    """Write *value* in YAML's flow style."""
    match value:
        case dict():
            return "{" + ", ".join(f"{_scalar(key)}: {_flow(v)}" for key, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case str():
            return _scalar(value)
        case _:
            return msgspec.json.encode(value).decode()
