"""One customer's way through a model, touchpoint by touchpoint and deadline by deadline."""

import copy
from dataclasses import dataclass, field

from shared.instants import Instant
from shared.touchpoints import Touchpoint
from tests.reference.conditions import Moment, evidence, holds, triggers
from tests.reference.history import History
from tests.reference.json_values import Document, micros
from tests.reference.moves import Deadline, Move, caused_by

_STATES_AHEAD = {None: (), "active": ("dormant", "churned"), "dormant": ("churned",), "churned": ()}


@dataclass
class Walk:
    """The state of the fold under a model whose defaults are filled in."""

    model: Document
    touchpoints: list[Touchpoint] = field(default_factory=list)
    stage: str | None = None
    entered_at: Instant | None = None
    entered_by: Touchpoint | None = None
    cycle: int = 1
    activity: str | None = None
    last_active: Touchpoint | None = None
    reached: set[str] = field(default_factory=set)
    spent: set[tuple[str, Instant]] = field(default_factory=set)
    moves: list[Move] = field(default_factory=list)

    def apply(self, touchpoint: Touchpoint) -> None:
        """Advance to just before *touchpoint*, which is the next in canonical order; apply it."""
        self.advance(touchpoint.at - 1)
        self.touchpoints.append(touchpoint)
        history, before = self.history(), self.activity
        index = len(self.touchpoints) - 1
        ignore = self.model["activity"].get("ignore")
        lives = ignore is None or not history.matches(index, ignore)
        if lives:
            self.last_active = touchpoint
            if self.activity != "active":
                cause = caused_by(touchpoint, [])
                self._change_activity("active", touchpoint.at, "sign_of_life", cause)
        self._restart(self._moment(history, before))
        self._enter(self._moment(history, before))
        if self.stage is None and lives:
            cause = caused_by(touchpoint, [])
            self._move("start", self.model["start"], touchpoint.at, "start", cause)
            self.entered_by = touchpoint

    def history(self) -> History:
        """Return what the touchpoints so far say."""
        return History(self.model, self.touchpoints)

    def _moment(self, history: History, activity: str | None) -> Moment:
        index, touchpoint = len(self.touchpoints) - 1, self.touchpoints[-1]
        reached = frozenset(self.reached)
        return Moment(history, touchpoint.at, index, self.entered_at, activity, reached)

    def _restart(self, now: Moment) -> None:
        for rule in self.model.get("cycle", {}).get("restart", []):
            if self.stage in rule["from"] and self._fires(rule, now):
                self.cycle += 1
                self._move_by(rule, "restart", rule["to"], now)
                return

    def _enter(self, now: Moment) -> None:
        for stage in reversed(self.model["stages"]):
            if stage["key"] == self.stage:
                continue
            for rule in stage.get("enter", []):
                if (self.stage or "none") in rule["from"] and self._fires(rule, now):
                    self._move_by(rule, self._kind(stage["key"]), stage["key"], now)
                    return

    def _fires(self, rule: Document, now: Moment) -> bool:
        signals = triggers(rule["when"], self.model)
        triggered = any(now.touchpoint in now.history.arrived(signal) for signal in signals)
        return triggered and holds(rule["when"], now)

    def _move_by(self, rule: Document, kind: str, to: str, now: Moment) -> None:
        proof = [self.touchpoints[index] for index in evidence(rule["when"], now)]
        self._move(kind, to, now.t, rule["rule"], caused_by(self.touchpoints[-1], proof))
        self.entered_by = self.touchpoints[-1]

    def advance(self, to: Instant) -> None:
        """Meet every deadline up to and with *to*."""
        while due := [deadline for deadline in self.deadlines() if deadline.at <= to]:
            self._meet(_first(due))

    def deadlines(self) -> list[Deadline]:
        """Return all deadlines ahead, those of one instant in the order they are met."""
        return [*self._activity_deadlines(), *self._leave_deadlines()]

    def _activity_deadlines(self) -> list[Deadline]:
        found = []
        for state in _STATES_AHEAD[self.activity]:
            assert self.last_active is not None
            base_at, after = self.last_active.at, self.model["activity"][f"{state}_after"]
            found.append(
                Deadline(
                    at=base_at + micros(after),
                    axis="activity",
                    to=state,
                    rule=f"{state}_after",
                    after=after,
                    base="activity",
                    base_at=base_at,
                    touchpoint=self.last_active,
                )
            )
        return found

    def _leave_deadlines(self) -> list[Deadline]:
        found = []
        for rule in self._stage(self.stage).get("leave", []) if self.stage else []:
            base, base_at, touchpoint = self._base(rule)
            if (rule["rule"], base_at) not in self.spent:
                found.append(
                    Deadline(
                        at=base_at + micros(rule["after"]),
                        axis="stage",
                        to=rule["to"],
                        rule=rule["rule"],
                        after=rule["after"],
                        base=base,
                        base_at=base_at,
                        touchpoint=touchpoint,
                        when=rule.get("when"),
                    )
                )
        return found

    def _base(self, rule: Document) -> tuple[str, Instant, Touchpoint | None]:
        assert self.entered_at is not None
        name, later = "entered", None
        if "without" in rule:
            history = self.history()
            matches = [index for signal in rule["without"] for index in history.arrived(signal)]
            name, later = "signal", self.touchpoints[max(matches)] if matches else None
        elif rule["idle"]:
            name, later = "activity", self.last_active
        if later is not None and later.at > self.entered_at:
            return name, later.at, later
        return "entered", self.entered_at, self.entered_by

    def _meet(self, deadline: Deadline) -> None:
        at, to, rule = deadline.at, deadline.to, deadline.rule
        if deadline.axis == "activity":
            self._change_activity(to, at, rule, deadline.cause())
            return
        reached = frozenset(self.reached)
        now = Moment(self.history(), at, None, self.entered_at, self.activity, reached)
        if deadline.when is not None and not holds(deadline.when, now):
            self.spent.add((rule, deadline.base_at))
            return
        self._move(self._kind(to), to, at, rule, deadline.cause())
        self.entered_by = None

    def next_move(self) -> Move | None:
        """Return the first move that comes if no touchpoint does."""
        ahead = copy.deepcopy(self)
        while len(ahead.moves) == len(self.moves):
            deadlines = ahead.deadlines()
            if not deadlines:
                return None
            ahead._meet(_first(deadlines))  # noqa: SLF001  it is another self
        return ahead.moves[-1]

    def _kind(self, to: str) -> str:
        if self.stage is None:
            return "start"
        return "advance" if self._rank(to) > self._rank(self.stage) else "regress"

    def _move(self, kind: str, to: str, at: Instant, rule: str, cause: Document) -> None:
        self.moves.append(Move("stage", kind, self.stage, to, at, self.cycle, rule, cause))
        self.stage, self.entered_at = to, at
        self.reached.add(to)

    def _change_activity(self, to: str, at: Instant, rule: str, cause: Document) -> None:
        move = Move("activity", "activity", self.activity, to, at, self.cycle, rule, cause)
        self.moves.append(move)
        self.activity = to

    def _stage(self, key: str) -> Document:
        return next(stage for stage in self.model["stages"] if stage["key"] == key)

    def _rank(self, key: str) -> int:
        return [stage["key"] for stage in self.model["stages"]].index(key)


def _first(deadlines: list[Deadline]) -> Deadline:
    """Return the earliest; of those at one instant the one that is listed first."""
    return min(deadlines, key=lambda deadline: deadline.at)
