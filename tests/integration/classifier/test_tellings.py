"""What is told of moves holds together for whoever keeps it by id, through merges and splits."""

import pytest

from shared.instants import HOUR
from tests.fixtures.classification import START, Classifier, Sent
from tests.fixtures.histories import people


async def believed_by_a_follower(classifier: Classifier) -> dict[tuple[object, object], object]:
    """Return what stands for a follower who keeps moves by ``(id, n)``; fail where they cannot."""
    stands: dict[tuple[object, object], object] = {}
    told: set[tuple[object, object]] = set()
    for kind, data in await classifier.outbox():
        name = data.get("id"), data.get("n")
        if kind == "journey.transition":
            assert name not in told, f"told twice: {data}"
            told.add(name)
            stands[name] = (data["axis"], data["at"], data["rule"], data["to"], str(data["cause"]))
        elif kind == "journey.transition_retracted":
            assert name in stands, f"taken back without standing: {data}"
            del stands[name]
    return stands


@pytest.mark.parametrize("seed", range(3))
async def test_every_retraction_names_a_move_that_was_told_and_no_name_is_used_twice(
    classifier: Classifier, seed: int
) -> None:
    history = people(seed, touchpoints=120)
    for number in range(0, len(history), 15):
        await classifier.feed(*history[number : number + 15])
    stands = await believed_by_a_follower(classifier)
    rows = await classifier.rows("SELECT 1 FROM transitions WHERE superseded_at IS NULL")
    assert len(stands) == len(rows)
    handed_over = await classifier.rows("SELECT 1 FROM transitions WHERE told_id <> id")
    assert handed_over, "nothing was handed over, so nothing was shown"


async def test_a_move_that_is_handed_over_taken_back_and_said_again_has_a_new_number(
    classifier: Classifier,
) -> None:
    login = Sent("login", ("user_id:ana", "anonymous_id:a1"), type="identify", at=START + HOUR)
    await classifier.feed(Sent("v", ("anonymous_id:a1",)))
    await classifier.feed(login)
    await classifier.feed(
        Sent("sale", ("user_id:ana",), type="order_completed", at=START - HOUR),
    )
    # Another customer's earlier login with the same device takes the device away again.
    await classifier.feed(
        Sent("other", ("user_id:bob", "anonymous_id:a1"), type="identify", at=START - 2 * HOUR)
    )
    await believed_by_a_follower(classifier)
