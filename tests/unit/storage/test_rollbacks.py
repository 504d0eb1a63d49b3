from collections.abc import Sequence

import pytest

from shared.storage.rollbacks import Activation, standing

A, B, C, D = 1, 2, 3, 4


def history(*steps: int) -> list[Activation]:
    """Return activations of *steps*; a negative one is a rollback to that model."""
    return [Activation(abs(step), step < 0) for step in steps]


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        ((), []),
        ((A,), [A]),
        ((A, B, C), [A, B, C]),
        ((A, B, C, -B), [A, B]),
        ((A, B, C, -B, -A), [A]),
        ((A, B, -A, D), [A, D]),
        ((A, B, A), [A, B, A]),
        ((A, B, A, -B), [A, B]),
        ((A, B, A, -B, -A), [A]),
    ],
)
def test_a_rollback_takes_the_newest_activation_off_the_history(
    steps: Sequence[int], left: list[int]
) -> None:
    assert standing(history(*steps)) == left


def test_the_one_in_force_is_always_the_last() -> None:
    steps = (A, B, C, -B, D, -B, -A, C, C)
    for length in range(1, len(steps) + 1):
        assert standing(history(*steps[:length]))[-1] == abs(steps[length - 1])
