"""Running the examples of a model."""

from shared.errors import Fault, ModelRefused
from shared.instants import rfc3339
from shared.journey.fold import Fold, in_order
from shared.journey.journeys import Journey
from shared.journey.model import Example, Expectation, StageModel
from shared.journey.program import Program, compile_model


def check_examples(model: StageModel) -> None:
    """Run the examples of *model*.

    Raises:
        ModelRefused: With a fault for each expectation that is not met, saying what came instead.
    """
    program = compile_model(model)
    faults = [
        Fault(f"examples[{number}].{path}", "example_failed", f"{example.name}: {difference}")
        for number, example in enumerate(model.examples)
        for path, difference in _differences(program, example)
    ]
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise ModelRefused(f"{faults[0].path}: {faults[0].message}{more}", faults=faults)


def _differences(program: Program, example: Example) -> list[tuple[str, str]]:
    """Go through time once, however many expectations there are."""
    expected = sorted(enumerate(example.expect), key=lambda item: item[1].at)
    given = in_order(example.given)
    folding = Fold(program)
    done = 0
    found = []
    for number, expectation in expected:
        while done < len(given) and given[done].at <= expectation.at:
            folding.apply(given[done])
            done += 1
        folding.advance(expectation.at)
        difference = _difference(folding.journey(expectation.at), expectation)
        if difference:
            found.append((f"expect[{number}]", difference))
    return found


def _difference(journey: Journey, expected: Expectation) -> str:
    actual = {
        "stage": journey.stage.key if journey.stage else None,
        "activity": journey.activity.state if journey.activity else None,
        "cycle": journey.cycle,
    }
    wanted = {"stage": expected.stage, "activity": expected.activity, "cycle": expected.cycle}
    wrong = [
        f"{name} is {actual[name] or 'none'}, expected {wanted[name] or 'none'}"
        for name in wanted
        if name in expected.asked and actual[name] != wanted[name]
    ]
    return f"at {rfc3339(expected.at)} {', '.join(wrong)}" if wrong else ""
