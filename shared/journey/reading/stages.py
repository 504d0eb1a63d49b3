"""Reading stages, their rules, and the rules that begin a new cycle."""

from dataclasses import dataclass

from shared.journey.model import NONE, ROLES, EnterRule, LeaveRule, RestartRule, Stage
from shared.journey.reading.conditions import Known, read_condition
from shared.journey.reading.shape import KEY, MemberNodes, Node
from shared.touchpoints import JsonValue


@dataclass(frozen=True, slots=True)
class Outline:
    """What must be known of all stages before one of them can be read, in order of rank."""

    keys: tuple[str, ...]
    terminal: tuple[bool, ...]


def outline_of(stages: JsonValue) -> Outline:
    """Return the outline of a list of stages, without noting faults."""
    items = stages if isinstance(stages, list) else []
    objects = [item if isinstance(item, dict) else {} for item in items]
    keys = [item.get("key") for item in objects]
    return Outline(
        keys=tuple(key if isinstance(key, str) else "" for key in keys),
        terminal=tuple(item.get("terminal") is True for item in objects),
    )


def enter_from(outline: Outline, rank: int) -> tuple[str, ...]:
    """Return where an enter rule of the stage of that rank applies if it does not say."""
    lower = zip(outline.keys[:rank], outline.terminal[:rank], strict=True)
    return (NONE, *(key for key, terminal in lower if not terminal))


def restart_from(outline: Outline) -> tuple[str, ...]:
    """Return where a restart rule applies if it does not say."""
    stages = zip(outline.keys, outline.terminal, strict=True)
    return tuple(key for key, terminal in stages if not terminal)


def default_label(key: str) -> str:
    """Return *key* as people would write it."""
    spaced = key.replace("_", " ").replace("-", " ")
    return spaced[:1].upper() + spaced[1:]


def read_stage(node: Node, rank: int, known: Known, default_from: tuple[str, ...]) -> Stage:
    """Read a stage.

    Args:
        node: Where it stands.
        rank: Its place in the list, from 0.
        known: What its rules may name.
        default_from: Where its enter rules apply if they do not say.
    """
    optional = ("label", "phase", "goal", "terminal", "enter", "leave")
    members = node.members(("key", "role"), optional)
    key = members["key"].key()
    if key == NONE:
        members["key"].refuse("bad_key", f"{NONE!r} means no stage and cannot be one")
    terminal = "terminal" in members and members["terminal"].boolean()
    enter = members["enter"].items() if "enter" in members else []
    leave = members["leave"].items() if "leave" in members else []
    if terminal and leave:
        members["leave"].refuse("terminal_leave", "cannot stand on a terminal stage")
    return Stage(
        key=key,
        label=members["label"].text() if "label" in members else default_label(key),
        role=members["role"].one_of(ROLES, "role"),
        phase=_optional_text(members, "phase"),
        rank=rank,
        goal=_optional_text(members, "goal"),
        terminal=terminal,
        enter=tuple(_read_enter(rule, known, default_from) for rule in enter),
        leave=tuple(_read_leave(rule, known, key) for rule in leave),
    )


def read_restart(node: Node, known: Known, default_from: tuple[str, ...]) -> RestartRule:
    """Read a rule that begins a new cycle."""
    members = node.members(("rule", "when", "to"), ("from",))
    return RestartRule(
        name=members["rule"].key(),
        when=read_condition(members["when"], known, bare=True),
        to=members["to"].reference(known.stages, "stage"),
        from_=_read_from(members, known.stages, default_from),
    )


def _optional_text(members: MemberNodes, name: str) -> str | None:
    if name not in members or members[name].json() is None:
        return None
    return members[name].text()


def _read_enter(node: Node, known: Known, default_from: tuple[str, ...]) -> EnterRule:
    members = node.members(("rule", "when"), ("from",))
    return EnterRule(
        name=members["rule"].key(),
        when=read_condition(members["when"], known, bare=True),
        from_=_read_from(members, (*known.stages, NONE), default_from),
    )


def _read_from(
    members: MemberNodes, choices: tuple[str, ...], default: tuple[str, ...]
) -> frozenset[str]:
    if "from" not in members:
        return frozenset(default)
    return frozenset(item.reference(choices, "stage") for item in members["from"].items())


def _read_leave(node: Node, known: Known, own: str) -> LeaveRule:
    members = node.members(("rule", "after", "to"), ("without", "idle", "when"))
    to = members["to"].reference(known.stages, "stage")
    if to == own and KEY.fullmatch(own):
        members["to"].refuse("own_stage", "leads back to its own stage; name another")
    idle = "idle" in members and members["idle"].boolean()
    without = members["without"].items() if "without" in members else []
    if idle and without:
        members["idle"].refuse("two_forms", "cannot stand beside without")
    return LeaveRule(
        name=members["rule"].key(),
        after=members["after"].duration(),
        to=to,
        without=tuple(item.reference(known.signals, "signal") for item in without),
        idle=idle,
        when=read_condition(members["when"], known, bare=False) if "when" in members else None,
    )
