"""The history of the demo shop: everything its senders delivered, in the order they did.

It is made up from a seed and from the time at which it ends, and from nothing else.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from operator import attrgetter
from random import Random
from typing import Final, NamedTuple

from services.standalone.demo import chances
from services.standalone.demo.life import Entry, Life
from services.standalone.demo.lives import live
from services.standalone.demo.people import person
from services.standalone.demo.stories import DAYS, STORIES
from shared.demo import EMAIL, SERVICE, STORE, WEB
from shared.instants import DAY, Instant
from shared.touchpoints import JsonObject

SEED: Final = 2_026
PEOPLE: Final = 2_000
MOST_IN_A_BATCH: Final = 500


class Batch(NamedTuple):
    """What one sender delivers at once: native touchpoints of one source."""

    source: str
    items: list[JsonObject]


def demo_history(*, ends_at: Instant, seed: int = SEED, people: int = PEOPLE) -> Iterator[Batch]:
    """Make the history up and yield what was delivered, day by day.

    Sites, mails and calls deliver at the end of each day. The stores' tills deliver one file the
    morning after, so its sales are always late; what they sold on the last day is still to come.
    A few touchpoints arrive twice, and now and then a whole day file, its first receipt changed.

    Args:
        ends_at: When the history ends; nothing in it is later.
        seed: Of all chance.
        people: How many, those of the stories included; at most ``people.MOST_PEOPLE``.
    """
    by_day: defaultdict[tuple[int, str], list[Entry]] = defaultdict(list)
    first_day = ends_at // DAY * DAY - DAYS * DAY
    for life in _lives(first_day, ends_at, seed, people):
        for entry in life.entries:
            by_day[(entry.at - first_day) // DAY, entry.source].append(entry)
    twice = _chance(seed, "sent twice")
    for day in range(DAYS + 1):
        yield from _batches(STORE, _day_files(by_day, day))
        for source in (WEB, EMAIL, SERVICE):
            items = _in_order(by_day[day, source])
            if source == WEB:
                items += [item for item in items if twice.random() < chances.SENT_TWICE]
            yield from _batches(source, items)


def _lives(first_day: Instant, ends_at: Instant, seed: int, people: int) -> Iterator[Life]:
    for who, tell in STORIES:
        life = Life(who, _chance(seed, who.number), first_day, ends_at, now=first_day)
        tell(life)
        yield life
    for number in range(len(STORIES), people):
        chance = _chance(seed, number)
        life = Life(person(number), chance, first_day, ends_at, now=first_day)
        life.go_to(int(chance.random() ** chances.GROWTH * DAYS), life.between((9, 20)))
        live(life)
        yield life


def _chance(seed: int, what: object) -> Random:
    """Return a stream of chance for *what*; so each life is its own, whoever else there is."""
    return Random(f"{seed}/{what}")  # noqa: S311 - made-up lives are no secrets


def _day_files(by_day: dict[tuple[int, str], list[Entry]], day: int) -> list[JsonObject]:
    """Return what the stores deliver in the morning of *day*: the receipts of the day before."""
    receipts = _in_order(by_day[day - 1, STORE])
    if day > 1 and day % chances.DAYS_BETWEEN_REPEATED_FILES == 0:
        again = _in_order(by_day[day - 2, STORE])
        receipts += [_changed(again[0]), *again[1:]] if again else []
    return receipts


def _changed(receipt: JsonObject) -> JsonObject:
    properties = receipt.get("properties")
    known = properties if isinstance(properties, dict) else {}
    return receipt | {"properties": known | {"corrected_by": "demo-clerk"}}


def _in_order(entries: Iterable[Entry]) -> list[JsonObject]:
    return [entry.item for entry in sorted(entries, key=attrgetter("at"))]


def _batches(source: str, items: list[JsonObject]) -> Iterator[Batch]:
    for start in range(0, len(items), MOST_IN_A_BATCH):
        yield Batch(source, items[start : start + MOST_IN_A_BATCH])
