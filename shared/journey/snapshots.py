"""Snapshots: a customer's situation, frozen, to go on from later."""

from typing import Self

import msgspec

from shared.instants import Instant
from shared.journey.conditions import ActivityState
from shared.journey.histories import FrozenHistory
from shared.journey.needs import Seen, place_of
from shared.journey.program import Program
from shared.journey.situation import Situation
from shared.touchpoints import JsonObject, Place

_VERSION_DIGITS = 12


class FoldState(msgspec.Struct, frozen=True, array_like=True):
    """All of a customer that a fold needs to go on; its size is bounded by the model.

    The attributes are those of ``Situation``, with places for touchpoints. Signals and scores
    are given by position, which only means something to the model of that ``version``.
    """

    version: str
    last: Place | None
    settled_at: Instant
    traits: JsonObject
    histories: dict[int, FrozenHistory]
    scores: tuple[tuple[float, Instant], ...]
    slot: int
    entered_at: Instant
    entered_by: Place | None
    entered_rule: str
    cycle: int
    activity: ActivityState | None
    activity_since: Instant
    last_active: Place | None
    reached: int
    spent: dict[int, Instant]

    def encode(self) -> bytes:
        """Write the snapshot as MessagePack."""
        return _ENCODER.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what ``encode`` wrote.

        Raises:
            ValueError: *data* is no snapshot.
        """
        return msgspec.msgpack.decode(data, type=cls)


_ENCODER = msgspec.msgpack.Encoder()


def freeze(program: Program, situation: Situation) -> FoldState:
    """Return *situation* as it is now."""
    return FoldState(
        version=program.model.version[:_VERSION_DIGITS],
        last=_frozen(situation.last),
        settled_at=situation.settled_at,
        traits=situation.traits,
        histories={
            signal: situation.histories[signal].freeze() for signal in sorted(situation.histories)
        },
        scores=tuple(situation.scores),
        slot=situation.slot,
        entered_at=situation.entered_at,
        entered_by=_frozen(situation.entered_by),
        entered_rule=situation.entered_rule,
        cycle=situation.cycle,
        activity=situation.activity,
        activity_since=situation.activity_since,
        last_active=_frozen(situation.last_active),
        reached=situation.reached,
        spent=dict(situation.spent),
    )


def thaw(program: Program, state: FoldState) -> Situation:
    """Return a situation to go on from.

    Raises:
        ValueError: *state* is of another version of the model.
    """
    if state.version != program.model.version[:_VERSION_DIGITS]:
        raise ValueError("the snapshot is of another version of the model")
    situation = program.new_situation()
    situation.last, situation.settled_at = state.last, state.settled_at
    situation.traits, situation.cycle, situation.reached = state.traits, state.cycle, state.reached
    situation.slot, situation.entered_at = state.slot, state.entered_at
    situation.entered_by, situation.entered_rule = state.entered_by, state.entered_rule
    situation.activity, situation.activity_since = state.activity, state.activity_since
    situation.last_active = state.last_active
    situation.scores = list(state.scores)
    situation.spent = dict(state.spent)
    for signal, history in state.histories.items():
        situation.history(signal).thaw(history)
    return situation


def _frozen(seen: Seen | None) -> Place | None:
    return None if seen is None else place_of(seen)
