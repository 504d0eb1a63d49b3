from benchmarks.refold import fold_with_late, late_arrivals
from shared.instants import LATEST
from shared.journey.bundled import bundled_model
from shared.journey.fold import fold
from shared.journey.loading import load_model
from shared.journey.program import compile_model


def test_what_is_measured_is_the_journey_of_all_arrivals() -> None:
    program = compile_model(load_model(bundled_model("default")))
    arrivals = late_arrivals(seed=1)
    folding, refolds = fold_with_late(program, arrivals)
    folding.advance(LATEST)
    assert refolds > 0
    assert folding.place == max(one.place for one in arrivals)
    told, expected = folding.journey(LATEST), fold(program, arrivals, LATEST)
    assert (told.stage, told.counts, told.scores, told.cycle) == (
        expected.stage,
        expected.counts,
        expected.scores,
        expected.cycle,
    )
