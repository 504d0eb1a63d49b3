"""Reading a whole document into a model."""

from shared.journey.matchers import Matcher
from shared.journey.model import (
    MOST_STAGES,
    Activity,
    Example,
    RestartRule,
    Score,
    Signal,
    Stage,
    StageModel,
    Undo,
)
from shared.journey.reading.canonical import version_of, with_defaults
from shared.journey.reading.conditions import Known
from shared.journey.reading.examples import read_example
from shared.journey.reading.matchers import read_matcher, read_path
from shared.journey.reading.shape import ROOT, Faults, MemberNodes, Node
from shared.journey.reading.stages import (
    Outline,
    default_label,
    enter_from,
    outline_of,
    read_restart,
    read_stage,
    restart_from,
)
from shared.touchpoints import JsonValue

_REQUIRED = ("format", "key", "signals", "activity", "start", "stages")
_OPTIONAL = ("title", "entity", "scores", "cycle", "lineage", "examples")
_MOST_POINTS = 1e15


def read_document(document: JsonValue) -> StageModel:
    """Read the JSON values of a document; its rules are not weighed against each other here.

    Raises:
        ModelRefused: With every fault of shape, and every name that nothing defines.
    """
    faults = Faults()
    root = Node(document, ROOT, faults)
    members = root.members(_REQUIRED, _OPTIONAL)
    _check_head(members)
    reading = _Reading(members)
    signals, scores, stages = reading.signals(), reading.scores(), reading.stages()
    activity, start = reading.activity(), reading.start()
    restarts, lineage, examples = reading.restarts(), reading.lineage(), reading.examples()
    key = members["key"].key()
    title = members["title"].text() if "title" in members else default_label(key)
    faults.refuse_if_any()
    filled = with_defaults(root.json_object(), reading.outline)
    return StageModel(
        key=key,
        title=title,
        version=version_of(filled),
        stages=stages,
        signals=signals,
        scores=scores,
        activity=activity,
        start=start,
        restarts=restarts,
        lineage=lineage,
        examples=examples,
        document=filled,
    )


def _check_head(members: MemberNodes) -> None:
    form = members["format"]
    if form.json() != 1 or isinstance(form.json(), bool):
        form.refuse("bad_format", "must be 1")
    entity = members["entity"].json() if "entity" in members else "customer"
    if entity == "account":
        members["entity"].refuse("not_supported", "models of accounts are not supported yet")
    elif entity != "customer":
        members["entity"].refuse("wrong_type", "must be customer")


class _Reading:
    """The parts of one document, each read with what the others define in view."""

    def __init__(self, members: MemberNodes) -> None:
        self._members = members
        self.outline: Outline = outline_of(members["stages"].json())
        self._known = Known(
            signals=_keys_of(members, "signals"),
            scores=_keys_of(members, "scores"),
            stages=self.outline.keys,
        )

    def signals(self) -> tuple[Signal, ...]:
        entries = sorted(self._members["signals"].entries(), key=lambda entry: entry[0])
        return tuple(self._signal(key, node) for key, node in entries)

    def _signal(self, key: str, node: Node) -> Signal:
        node.check_key(key)
        members = node.members(("match",), ("undone_by",))
        match = read_matcher(members["match"])
        undo = self._undo(members["undone_by"]) if "undone_by" in members else None
        return Signal(key, match, undo)

    def _undo(self, node: Node) -> Undo:
        members = node.members(("signal", "same"), ("within",))
        return Undo(
            signal=members["signal"].reference(self._known.signals, "signal"),
            same=read_path(members["same"]),
            within=members["within"].duration() if "within" in members else None,
        )

    def scores(self) -> tuple[Score, ...]:
        if "scores" not in self._members:
            return ()
        entries = sorted(self._members["scores"].entries(), key=lambda entry: entry[0])
        return tuple(self._score(key, node) for key, node in entries)

    def _score(self, key: str, node: Node) -> Score:
        node.check_key(key)
        members = node.members(("half_life", "points"))
        points: dict[str, float] = {}
        for signal, value in members["points"].entries():
            value.check_reference(signal, self._known.signals, "signal")
            points[signal] = float(value.number())
            if abs(points[signal]) > _MOST_POINTS:
                value.refuse("bad_number", "must lie between -1e15 and 1e15")
        return Score(key, members["half_life"].duration(), points)

    def activity(self) -> Activity:
        members = self._members["activity"].members(("dormant_after", "churned_after"), ("ignore",))
        ignore: Matcher | None = read_matcher(members["ignore"]) if "ignore" in members else None
        dormant = members["dormant_after"].duration()
        churned = members["churned_after"].duration()
        if churned.micros <= dormant.micros:
            members["churned_after"].refuse("bad_duration", "must be longer than dormant_after")
        return Activity(ignore, dormant, churned)

    def start(self) -> str:
        node = self._members["start"]
        start = node.reference(self._known.stages, "stage")
        if (start, True) in zip(self.outline.keys, self.outline.terminal, strict=True):
            node.refuse("terminal_start", "must not be a terminal stage")
        return start

    def stages(self) -> tuple[Stage, ...]:
        node = self._members["stages"]
        items = node.items()
        if len(items) > MOST_STAGES:
            node.refuse("too_many_stages", f"must be at most {MOST_STAGES} stages")
        stages = []
        for rank, item in enumerate(items):
            stage = read_stage(item, rank, self._known, enter_from(self.outline, rank))
            if stage.key and stage.key in self.outline.keys[:rank]:
                item.refuse(
                    "duplicate_key",
                    f"{stage.key!r} is the key of an earlier stage; every stage needs its own",
                )
            stages.append(stage)
        return tuple(stages)

    def restarts(self) -> tuple[RestartRule, ...]:
        if "cycle" not in self._members:
            return ()
        rules = self._members["cycle"].members(("restart",))["restart"].items()
        default = restart_from(self.outline)
        return tuple(read_restart(rule, self._known, default) for rule in rules)

    def lineage(self) -> dict[str, tuple[str, ...]]:
        if "lineage" not in self._members:
            return {}
        became: dict[str, tuple[str, ...]] = {}
        for key, node in self._members["lineage"].entries():
            node.check_key(key)
            stages = (item.reference(self._known.stages, "stage") for item in node.items())
            became[key] = tuple(stages)
        return became

    def examples(self) -> tuple[Example, ...]:
        if "examples" not in self._members:
            return ()
        stages = self._known.stages
        return tuple(read_example(item, stages) for item in self._members["examples"].items())


def _keys_of(members: MemberNodes, name: str) -> tuple[str, ...]:
    value = members[name].json() if name in members else None
    return tuple(value) if isinstance(value, dict) else ()
