"""Which moves a backfill caused."""

from typing import Final

from shared.instants import DAY, Instant
from shared.journey.moves import Cause, DeadlineCause, Identity, Move, TouchpointCause
from shared.upkeep.backfills import historical

RECEIPT: Final = Identity("till", "r-1")
CAME: Final[Instant] = 1_000 * DAY


def move(at: Instant, from_: str, to: str, cause: Cause) -> Move:
    return Move("stage", "advance", from_, to, at, 1, "rule", cause)


def after(named: Identity | None) -> DeadlineCause:
    return DeadlineCause(0, "P1D", "entered", named)


def test_a_touchpoint_makes_its_moves_past_if_it_came_as_past() -> None:
    moves = [
        move(CAME + DAY, "a", "b", TouchpointCause("till", "r-1")),
        move(CAME + DAY, "b", "c", TouchpointCause("web", "r-1")),
    ]
    assert historical(moves, {RECEIPT: CAME}) == [True, False]
    assert historical(moves, {}) == [False, False]


def test_a_deadline_that_passed_after_the_backfill_came_is_news() -> None:
    moves = [move(at, "a", "b", after(RECEIPT)) for at in (CAME, CAME + 1)]
    assert historical(moves, {RECEIPT: CAME}) == [True, False]


def test_a_deadline_that_a_deadline_led_to_is_as_that_one_up_to_when_the_backfill_came() -> None:
    moves = [
        move(CAME - 2 * DAY, "a", "b", after(RECEIPT)),
        move(CAME - DAY, "b", "c", after(None)),
        move(CAME + DAY, "c", "d", after(None)),
    ]
    assert historical(moves, {RECEIPT: CAME}) == [True, True, False]
    assert historical(moves[1:], {RECEIPT: CAME}) == [False, False]


def test_a_move_on_the_other_axis_leads_to_no_stage() -> None:
    active = Move("activity", "activity", "x", "b", 0, 1, "sign_of_life", after(RECEIPT))
    assert historical([active, move(1, "b", "c", after(None))], {RECEIPT: CAME}) == [True, False]
