from shared.journey.fold import fold
from shared.journey.moves import transition_id
from shared.journey.render import journey_document
from shared.touchpoints import JsonObject
from tests.fixtures.small_models import compiled, day, document, stage, touch

GIVEN: JsonObject = document(
    [
        stage("first"),
        stage(
            "second",
            label="The second",
            phase="sale",
            enter=[{"rule": "up", "when": {"signal": "a"}}],
            leave=[{"rule": "down", "after": "P2D", "to": "first"}],
        ),
    ],
    scores={"heat": {"half_life": "P1D", "points": {"a": 1}}},
    activity={"dormant_after": "P10D", "churned_after": "P20D"},
)


def test_a_journey_is_written_in_full() -> None:
    program = compiled(GIVEN)
    journey = fold(program, [touch("x", 0.5), touch("a", 1)], day(2))
    started, up, down = journey.transitions[1], journey.transitions[2], journey.next
    assert down is not None
    written = journey_document(journey, program, "ana")
    transitions = written.pop("transitions")
    assert written == {
        "customer_id": "ana",
        "as_of": "2026-01-03T00:00:00Z",
        "model": "small",
        "version": program.model.version,
        "stage": {
            "key": "second",
            "label": "The second",
            "role": "use",
            "phase": "sale",
            "rank": 1,
            "since": "2026-01-02T00:00:00Z",
            "rule": "up",
        },
        "activity": {
            "state": "active",
            "since": "2026-01-01T12:00:00Z",
            "last_active_at": "2026-01-02T00:00:00Z",
        },
        "cycle": 1,
        "peak_stage": "second",
        "next": {"at": "2026-01-04T00:00:00Z", "axis": "stage", "to": "first", "rule": "down"},
        "counts": {"a": 1, "b": 0, "c": 0},
        "scores": {"heat": 0.5},
    }
    assert isinstance(transitions, list)
    assert transitions[1:] == [
        {
            "id": transition_id(program.model.version, "ana", started),
            "axis": "stage",
            "kind": "start",
            "from": None,
            "to": "first",
            "at": "2026-01-01T12:00:00Z",
            "cycle": 1,
            "rule": "start",
            "cause": {"touchpoint": {"source": "test", "event_id": "x@0.5"}, "evidence": []},
        },
        {
            "id": transition_id(program.model.version, "ana", up),
            "axis": "stage",
            "kind": "advance",
            "from": "first",
            "to": "second",
            "at": "2026-01-02T00:00:00Z",
            "cycle": 1,
            "rule": "up",
            "cause": {"touchpoint": {"source": "test", "event_id": "a@1"}, "evidence": []},
        },
    ]


def test_a_customer_of_the_future_is_written_with_nulls() -> None:
    program = compiled(GIVEN)
    written = journey_document(fold(program, [touch("a", 9)], day(1)), program, "ana")
    nulls = ("stage", "activity", "peak_stage", "next")
    assert [written[name] for name in nulls] == [None] * 4
    assert (written["cycle"], written["transitions"]) == (1, [])
    assert written["scores"] == {"heat": 0.0}


def test_peak_stage_stays_after_the_customer_left_it() -> None:
    program = compiled(GIVEN)
    journey = fold(program, [touch("a", 1)], day(4))
    assert journey.stage is not None
    assert (journey.stage.key, journey.peak_stage) == ("first", "second")
