"""A year of a grocery chain as touchpoints: real households, for `journeyline send`.

Run it as ``python -m benchmarks.grocery_history grocery.ndjson``; ``docs/recipes/grocery.md`` says
what to do with the file. The tables are those of the data set "The Complete Journey".
"""

import argparse
import itertools
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from shared.touchpoints import Channel, JsonObject

DATA: Final = Path("../shared/data/completejourney")
NOON: Final = time(12)

LATE: Final = 0.1
"""Share of lines that come late, those that come last included."""
LAST: Final = 0.01
AGAIN: Final = 0.05
ALTERED: Final = 0.2
"""Share, of the lines that come again, of those with other content."""

T = TypeVar("T", bound=msgspec.Struct)


class Basket(msgspec.Struct, frozen=True):
    """One receipt; ``ts`` is the till's own clock, money in dollars."""

    household_id: int
    basket_id: int
    ts: datetime
    store_id: int
    lines: int
    items: int
    sales: float
    retail_disc: float
    coupon_disc: float


class Campaign(msgspec.Struct, frozen=True):
    """One campaign; its leaflets are in the letter boxes on the first day."""

    campaign_id: int
    campaign_type: str
    start_date: datetime
    end_date: datetime


class Mailing(msgspec.Struct, frozen=True):
    """A campaign's leaflet that went to a household."""

    campaign_id: int
    household_id: int


class Redemption(msgspec.Struct, frozen=True):
    """A coupon of a campaign that a household handed in; only the day is known."""

    household_id: int
    coupon_upc: int
    campaign_id: int
    redemption_date: datetime


@dataclass(frozen=True, slots=True)
class Tables:
    """What the chain knows."""

    baskets: Sequence[Basket]
    campaigns: Sequence[Campaign]
    mailings: Sequence[Mailing]
    redemptions: Sequence[Redemption]

    def first_households(self, most: int) -> "Tables":
        """Return only what belongs to the *most* households with the smallest numbers."""
        every = {row.household_id for rows in (self.baskets, self.mailings) for row in rows}
        few = set(sorted(every)[:most])
        return Tables(
            [row for row in self.baskets if row.household_id in few],
            self.campaigns,
            [row for row in self.mailings if row.household_id in few],
            [row for row in self.redemptions if row.household_id in few],
        )


def read_tables(folder: Path) -> Tables:
    """Read the parquet files in *folder*."""
    return Tables(
        _read(folder / "baskets.parquet", Basket),
        _read(folder / "campaign_descriptions.parquet", Campaign),
        _read(folder / "campaigns.parquet", Mailing),
        _read(folder / "coupon_redemptions.parquet", Redemption),
    )


def _read(path: Path, kind: type[T]) -> list[T]:
    table = pq.read_table(path, columns=list(kind.__struct_fields__))
    exact = [
        pa.field(
            field.name, pa.timestamp("us") if pa.types.is_timestamp(field.type) else field.type
        )
        for field in table.schema
    ]
    rows = table.cast(pa.schema(exact)).to_pylist()
    return [msgspec.convert(row, kind) for row in rows]


def history(tables: Tables) -> Iterator[JsonObject]:
    """Yield native touchpoints in the order in which a chain delivers them: one file a day.

    A day has the leaflets of campaigns that begin, then each store's receipts in the order of its
    tills, then the coupons that were handed in. The data names no time zone; its times are taken
    as UTC.
    """
    days: dict[date, list[JsonObject]] = {}
    for at, item in itertools.chain(_leaflets(tables), _receipts(tables), _coupons(tables)):
        stamped = item | {"occurred_at": f"{at.isoformat()}Z"}
        days.setdefault(at.date(), []).append(stamped)
    for day in sorted(days):
        yield from days[day]


class _Happening(NamedTuple):
    at: datetime
    item: JsonObject


def _leaflets(tables: Tables) -> Iterator[_Happening]:
    """What is put into a letter box says nothing about its owner: to the model it is an ad."""
    campaigns = {campaign.campaign_id: campaign for campaign in tables.campaigns}
    for row in sorted(tables.mailings, key=attrgetter("campaign_id", "household_id")):
        campaign = campaigns[row.campaign_id]
        properties: JsonObject = {
            "medium": "direct_mail",
            "campaign_id": row.campaign_id,
            "campaign_type": campaign.campaign_type,
            "valid_until": campaign.end_date.date().isoformat(),
        }
        event_id = f"leaflet-{row.campaign_id}-{row.household_id}"
        item = _item(event_id, "ad_impression", Channel.OTHER, row.household_id, properties)
        yield _Happening(campaign.start_date, item)


def _receipts(tables: Tables) -> Iterator[_Happening]:
    for row in sorted(tables.baskets, key=attrgetter("store_id", "ts", "basket_id")):
        properties: JsonObject = {
            "order_id": str(row.basket_id),
            "value": row.sales,
            "currency": "USD",
            "items": row.items,
            "lines": row.lines,
            "discount": row.retail_disc,
            "coupon_discount": row.coupon_disc,
            "store": str(row.store_id),
        }
        event_id = f"basket-{row.basket_id}"
        item = _item(event_id, "store_sale", Channel.IN_STORE, row.household_id, properties)
        yield _Happening(row.ts, item)


def _coupons(tables: Tables) -> Iterator[_Happening]:
    """A coupon is handed in with the last receipt of its day; without any, at noon."""
    last = _last_receipts(tables.baskets)
    seen: Counter[Redemption] = Counter()
    ordered = attrgetter("redemption_date", "household_id", "campaign_id", "coupon_upc")
    for row in sorted(tables.redemptions, key=ordered):
        day = row.redemption_date.date()
        till = last.get((row.household_id, day), datetime.combine(day, NOON))
        properties: JsonObject = {
            "coupon": str(row.coupon_upc),
            "campaign_id": row.campaign_id,
        }
        event_id = f"coupon-{row.campaign_id}-{row.coupon_upc}-{row.household_id}-{day}-{seen[row]}"
        seen[row] += 1
        item = _item(event_id, "coupon_redeemed", Channel.IN_STORE, row.household_id, properties)
        yield _Happening(till + timedelta(seconds=1), item)


def _last_receipts(baskets: Iterable[Basket]) -> Mapping[tuple[int, date], datetime]:
    last: dict[tuple[int, date], datetime] = {}
    for row in baskets:
        place = row.household_id, row.ts.date()
        last[place] = max(last.get(place, row.ts), row.ts)
    return last


def _item(
    event_id: str, kind: str, channel: Channel, household: int, properties: JsonObject
) -> JsonObject:
    return {
        "event_id": event_id,
        "type": kind,
        "channel": channel.value,
        "customer": {"loyalty_id": f"household-{household}"},
        "properties": properties,
    }


def badly_delivered(items: Iterable[JsonObject], seed: int) -> list[JsonObject]:
    """Return *items* as a chain with trouble delivers them: late, and more than once.

    One in ten comes late, by up to a tenth of all lines (five weeks of a year); one in a hundred
    after everything else. One in twenty comes again, later; one in five of these with other
    properties, which must change nothing.
    """
    chance = random.Random(seed)
    given = list(items)
    longest = len(given) // 10
    lines: list[tuple[float, JsonObject]] = []
    for line, item in enumerate(given):
        place = line + _delay(chance, longest, len(given))
        lines.append((place, item))
        if chance.random() < AGAIN:
            again = item | {"properties": {"altered": True}}
            copy = again if chance.random() < ALTERED else item
            lines.append((place + 1 + chance.random() * longest, copy))
    lines.sort(key=itemgetter(0))
    return [item for _, item in lines]


def _delay(chance: random.Random, longest: int, all_lines: int) -> float:
    drawn = chance.random()
    if drawn < LAST:
        return all_lines
    return chance.random() * longest if drawn < LATE else 0.0


def write(items: Iterable[JsonObject], path: Path) -> Counter[str]:
    """Write *items* as NDJSON to *path*, and return how many there are of each type."""
    counts: Counter[str] = Counter()
    encoder = msgspec.json.Encoder()
    with path.open("wb") as file:
        for item in items:
            file.write(encoder.encode(item) + b"\n")
            counts[str(item["type"])] += 1
    return counts


def main() -> None:
    """Write the history to the file named on the command line, and say what is in it."""
    parser = argparse.ArgumentParser(description="Turn The Complete Journey into touchpoints.")
    parser.add_argument("output", type=Path, help="the NDJSON file to write")
    parser.add_argument("--data", type=Path, default=DATA, help=f"the tables' folder ({DATA})")
    parser.add_argument("--households", type=int, help="only so many households")
    parser.add_argument(
        "--badly-delivered", type=int, metavar="SEED", help="some lines late, some twice"
    )
    given = parser.parse_args()
    tables = read_tables(given.data)
    if given.households is not None:
        tables = tables.first_households(given.households)
    items: Iterable[JsonObject] = history(tables)
    if given.badly_delivered is not None:
        items = badly_delivered(items, given.badly_delivered)
    for kind, count in sorted(write(items, given.output).items()):
        print(f"{count:>9,} {kind}")


if __name__ == "__main__":
    main()
