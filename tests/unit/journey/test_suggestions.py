"""What is proposed for a stage model can be pasted into it, and says what it is made from."""

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.journey.fold import in_order
from shared.journey.loading import load_model
from shared.journey.observing import Observations, Observer, TypeSeen
from shared.journey.program import compile_model
from shared.journey.reading.text import read_text
from shared.journey.suggestions import MOST_TYPES, suggest
from shared.touchpoints import JsonObject, JsonValue, Touchpoint
from tests.fixtures.small_models import day, loaded, touch, two_stages

MODEL = two_stages({"signal": "a", "at_least": 2})
OUTBOUND = {"email_sent", "ad_shown"}


def seen_of(document: JsonObject, *people: list[Touchpoint], as_of: float = 900) -> Observations:
    observer = Observer(compile_model(loaded(document)), day(as_of))
    for history in people:
        observer.take(in_order(history))
        observer.end_customer()
    return observer.end()


def said(document: JsonObject, *people: list[Touchpoint]) -> str:
    return suggest(loaded(document), seen_of(document, *people), OUTBOUND)


def pasted(document: JsonObject, suggestion: str) -> JsonObject:
    """Return *document* with the fragments of *suggestion* in their places."""
    found = read_text(suggestion.encode()) if _has_lines(suggestion) else {}
    whole = dict(document)
    for name in ("signals", "activity"):
        whole[name] = {**_object(document[name]), **_object(_object(found).get(name, {}))}
    return whole


def _has_lines(suggestion: str) -> bool:
    return any(line and not line.startswith("#") for line in suggestion.splitlines())


def _object(value: JsonValue) -> JsonObject:
    assert isinstance(value, dict)
    return value


def people(pauses: int, longest: int) -> list[list[Touchpoint]]:
    """Return customers who came twice, after one to *longest* days."""
    return [[touch("a", 0, f"{n}-0"), touch("a", 1 + n % longest, f"{n}-1")] for n in range(pauses)]


def test_types_that_no_signal_knows_become_signals_those_of_most_customers_first() -> None:
    text = said(
        MODEL,
        [touch("Video: seen", 1), touch("video_liked", 1), touch("video_liked", 2)],
        [touch("Video: seen", 1), touch("email_sent", 2)],
    )
    assert text.index("video_seen:  # 2 touchpoints of 2 customers; web") < text.index(
        "video_liked:  # 2 touchpoints of 1 customer; web"
    )
    model = load_model(json.dumps(pasted(MODEL, text)))
    known = {type_ for signal in model.signals for type_ in signal.match.types}
    assert known == {"a", "b", "c", "Video: seen", "video_liked"}


def test_what_is_done_towards_customers_is_proposed_to_be_ignored() -> None:
    text = said(MODEL, [touch("a", 1), touch("email_sent", 2)])
    assert "ignore: {type: [email_sent]}" in text
    ignoring = {**MODEL, "activity": {**_object(MODEL["activity"]), "ignore": {"type": "ad_shown"}}}
    assert "ignore: {type: [ad_shown, email_sent]}" in said(ignoring, [touch("email_sent", 2)])
    by_channel = {**MODEL, "activity": {**_object(MODEL["activity"]), "ignore": {"source": "x"}}}
    both = said(by_channel, [touch("email_sent", 2)])
    assert "ignore: {any: [{source: x}, {type: [email_sent]}]}" in both
    assert "ignore" not in said(ignoring, [touch("ad_shown", 2)])


def test_durations_are_what_so_many_in_a_hundred_pauses_were_shorter_than() -> None:
    text = said(MODEL, *people(200, 100))
    assert "Pauses of a day or more after which a customer came back: 200." in text
    assert "as long as dormant_after P1000D: 0 (0.0%)" in text
    assert "95 in 100 were shorter than 96 days, 99 than 100 days" in text
    assert read_text(text.encode()) == {
        "activity": {"dormant_after": "P96D", "churned_after": "P100D"}
    }


@pytest.mark.parametrize(("pauses", "longest"), [(99, 50), (200, 1)])
def test_no_durations_are_made_from_too_little(pauses: int, longest: int) -> None:
    text = said(MODEL, *people(pauses, longest))
    assert "Pauses of a day or more" in text
    assert "dormant_after: P" not in text


def test_counts_show_what_other_thresholds_would_have_given() -> None:
    text = said(MODEL, [touch("a", 1), touch("a", 2), touch("a", 3)], [touch("a", 1)])
    assert "enter_second (stages[1].enter[0]) asks for 2 of a" in text
    assert "at least 1: 2 · 2: 1 (asked for) · 3: 1 · 4: 0 · 5: 0" in text


def test_what_never_happened_is_said() -> None:
    text = said(MODEL, [touch("a", 1)])
    assert "signals.b: no touchpoint matched this signal" in text
    assert "stages[1].enter[0]: 'enter_second' never moved a customer" in text


def test_of_nothing_nothing_is_proposed() -> None:
    text = said(MODEL)
    assert "0 touchpoints of 0 customers" in text
    assert pasted(MODEL, text) == MODEL


@given(
    st.lists(
        st.text(string.ascii_letters + string.digits + "_ .:$/-", min_size=1, max_size=128).filter(
            lambda text: text[0].isalnum() and text not in {"a", "b", "c"}
        ),
        unique=True,
        max_size=MOST_TYPES + 3,
    )
)
def test_whatever_types_are_called_the_fragment_can_be_pasted(names: list[str]) -> None:
    seen = seen_of(MODEL)
    for name in names:
        seen.types[name] = TypeSeen(1, 1, 0, 1, {"web": 1})
    text = suggest(loaded(MODEL), seen, {"email_sent"})
    model = load_model(json.dumps(pasted(MODEL, text)))
    known = {type_ for signal in model.signals for type_ in signal.match.types}
    assert len(known - {"a", "b", "c"}) == min(len(set(names) - {"email_sent"}), MOST_TYPES)
