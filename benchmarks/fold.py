"""How fast touchpoints fold into journeys: ``python benchmarks/fold.py``.

Prints CPU time on one core. The bounds to hold: an in-order touchpoint in at most 5 microseconds
under the default model; 200 signals little more than 10; a customer with 100,000 touchpoints at
most twice a small one.
"""

import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

from shared.instants import HOUR, Instant
from shared.journey.bundled import bundled_model
from shared.journey.fold import Fold, FoldState, fold
from shared.journey.loading import load_model
from shared.journey.program import Program, compile_model
from shared.touchpoints import JsonObject, Touchpoint

START: Instant = 1_700_000_000_000_000
MIX = (
    ("web", "page_viewed", 30),
    ("web", "product_viewed", 20),
    ("email", "email_sent", 12),
    ("email", "email_opened", 10),
    ("email", "email_clicked", 5),
    ("web", "product_added", 5),
    ("web", "order_completed", 4),
    ("contact_center", "call_answered", 3),
    ("in_store", "store_sale", 2),
    ("in_store", "store_return", 1),
    ("web", "review_posted", 2),
    ("web", "survey_answered", 2),
)


def history(length: int, *, gap: int = 6 * HOUR, seed: int = 1) -> list[Touchpoint]:
    """Return a made-up history in canonical order, *gap* microseconds apart on average."""
    chance = random.Random(seed)
    weights = [weight for _, _, weight in MIX]
    at = START
    touchpoints = []
    for number in range(length):
        at += int(chance.expovariate(1 / gap)) + 1
        channel, type_, _ = chance.choices(MIX, weights)[0]
        touchpoints.append(
            Touchpoint(
                source="shop",
                event_id=f"event-{number:08d}",
                at=at,
                channel=channel,
                type=type_,
                properties=_properties(type_, number, chance),
                context={},
                traits={},
            )
        )
    return touchpoints


def _properties(type_: str, number: int, chance: random.Random) -> JsonObject:
    match type_:
        case "order_completed" | "store_sale":
            return {"order_id": f"order-{number}", "value": chance.randint(5, 500)}
        case "store_return":
            return {"order_id": f"order-{number - chance.randint(1, 40)}"}
        case "review_posted":
            return {"rating": chance.randint(1, 5)}
        case "survey_answered":
            return {"score": chance.randint(0, 10)}
        case _:
            return {"path": "/"}


def model_with(signals: int) -> Program:
    """Return a model with that many signals and as many rules, two of which the mix can match."""
    names = [f"signal_{number}" for number in range(signals)]
    types = ["product_viewed", "page_viewed", *(f"other_{name}" for name in names[2:])]
    rules = [
        {"rule": f"rule_{name}", "when": {"signal": name, "at_least": 3, "within": "P14D"}}
        for name in names
    ]
    document = {
        "format": 1,
        "key": "many",
        "signals": {
            name: {"match": {"type": type_}} for name, type_ in zip(names, types, strict=True)
        },
        "activity": {"dormant_after": "P60D", "churned_after": "P180D"},
        "start": "first",
        "stages": [
            {"key": "first", "role": "aware"},
            {"key": "second", "role": "use", "enter": rules},
        ],
    }
    return compile_model(load_model(json.dumps(document)))


def seconds(work: Callable[[], object], *, rounds: int = 3) -> float:
    """Return the CPU time of *work*, the best of a few rounds."""
    times = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return min(times)


def apply_all(program: Program, touchpoints: Sequence[Touchpoint]) -> Fold:
    """Fold *touchpoints*, which are in canonical order."""
    folding = Fold(program)
    for touchpoint in touchpoints:
        folding.apply(touchpoint)
    return folding


def report(name: str, took: float, count: int) -> None:
    """Print what one of *count* things took."""
    print(f"{name:<56}{took / count * 1e6:9.2f} us{count / took:14,.0f} /s")


def in_order(program: Program) -> None:
    """Fold one long history, in order and through ``fold``."""
    long = history(100_000)
    report("apply, in order, default model", seconds(lambda: apply_all(program, long)), len(long))
    shuffled = random.Random(2).sample(long, len(long))
    took = seconds(lambda: fold(program, shuffled, long[-1].at))
    report("fold(), any order, duplicates looked for", took, len(long))
    short = history(20)
    took = seconds(lambda: [fold(program, short, short[-1].at) for _ in range(1_000)])
    report("fold(), customers of 20 touchpoints", took, 20_000)


def small_and_large(program: Program) -> None:
    """Go on from a customer's snapshot after 1,000 and after 100,000 touchpoints."""
    long = history(101_000)
    for length in (1_000, 100_000):
        folding = apply_all(program, long[:length])
        state = folding.freeze().encode()
        more = long[length : length + 1_000]
        name = f"customer with {length:,}"

        def go_on(state: bytes = state, more: Sequence[Touchpoint] = more) -> None:
            going = Fold(program, FoldState.decode(state))
            for touchpoint in more:
                going.apply(touchpoint)

        report(f"{name}: next touchpoints", seconds(go_on, rounds=20), len(more))

        def freeze(folding: Fold = folding) -> None:
            for _ in range(100):
                folding.freeze().encode()

        report(f"{name}: freeze and encode {len(state):,} bytes", seconds(freeze), 100)

        def thaw(state: bytes = state) -> None:
            for _ in range(100):
                Fold(program, FoldState.decode(state))

        report(f"{name}: decode and thaw", seconds(thaw), 100)


def few_and_many_signals() -> None:
    """Fold the same history under models of 10 and of 200 signals."""
    touchpoints = history(50_000)
    for signals in (10, 200):
        program = model_with(signals)
        took = seconds(partial(apply_all, program, touchpoints))
        report(f"apply, {signals} signals and rules", took, len(touchpoints))


def main() -> None:
    """Print all figures."""
    print(f"Python {sys.version.split()[0]}, CPU time on one core")
    program = compile_model(load_model(bundled_model("default")))
    in_order(program)
    small_and_large(program)
    few_and_many_signals()
    took = seconds(lambda: load_model(bundled_model("default")))
    report("load_model, default, examples included", took, 1)


if __name__ == "__main__":
    main()
