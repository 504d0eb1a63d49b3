"""Personas: kinds of customers that have a name, told by traits and by the first touchpoint; pure.

A persona is a matcher of stage models, asked of a customer: ``channel``, ``type`` and ``source``
are those of the customer's first touchpoint, and paths go down from the present ``traits``.
"""

from dataclasses import dataclass
from typing import Final

from shared.errors import Invalid, ModelRefused
from shared.journey.matchers import Matcher
from shared.journey.reading.matchers import read_matcher
from shared.journey.reading.shape import KEY, ROOT, Faults, Node
from shared.journey.reading.stages import default_label
from shared.journey.reading.text import read_text
from shared.touchpoints import JsonValue

LONGEST_TITLE: Final = 200
REFUSED: Final = "persona_refused"


@dataclass(frozen=True, slots=True)
class Persona:
    """One persona; several may match one customer."""

    key: str
    title: str
    match: Matcher
    document: JsonValue
    """What it was read from: an object with ``match`` and perhaps ``title``."""


def read_persona(key: str, document: str | bytes) -> Persona:
    """Read a persona in YAML or JSON: ``match``, and ``title``, by default the key in words.

    Raises:
        Invalid: ``faults`` name all that is wrong; code ``persona_refused``.
    """
    try:
        return persona_of(key, read_text(document))
    except ModelRefused as error:
        raise _refusal(error) from error


def persona_of(key: str, document: JsonValue) -> Persona:
    """Read a persona from a document that has been parsed already.

    Raises:
        Invalid: As ``read_persona``.
    """
    faults = Faults()
    members = Node(document, ROOT, faults).members(("match",), ("title",))
    if not KEY.fullmatch(key):
        faults.note(
            "key", "bad_key", "must begin with a-z and go on with a-z, 0-9, _ or -, up to 64"
        )
    title = members["title"].text() if "title" in members else default_label(key)
    if len(title) > LONGEST_TITLE:
        faults.note("title", "too_long", f"must have at most {LONGEST_TITLE} characters")
    match = read_matcher(members["match"])
    _check_paths(match, faults)
    try:
        faults.refuse_if_any()
    except ModelRefused as error:
        raise _refusal(error) from error
    return Persona(key, title, match, document)


def _check_paths(matcher: Matcher, faults: Faults) -> None:
    for tests in matcher.where:
        if tests.path[0] not in ("traits", ""):
            path = f"match.where[{'.'.join(tests.path)}]"
            faults.note(path, "bad_path", "must go down from traits., such as traits.plan")
    for part in matcher.parts:
        _check_paths(part, faults)


def _refusal(error: ModelRefused) -> Invalid:
    return Invalid(error.message, code=REFUSED, faults=error.faults)
