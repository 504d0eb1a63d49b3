"""Suppression: records of erased people, of which nothing may be kept.

A batch holds a shared lock from before it asks what was erased until it commits, and an erasure
holds it alone: so no batch stores what an erasure has just taken away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from services.classifier.reading import (
    Arrival,
    Item,
    Refusal,
    Suppressed,
    received_at_of,
    suppressed,
)
from shared.erasure import Digests, Erased, Remembered, referrer_in, without_referrer
from shared.errors import SetupError
from shared.instants import Instant
from shared.storage.erasures import HOLD_OFF_ERASURES, erased_among, remember_erased

_ANY: Final = "SELECT EXISTS (SELECT FROM erasures)"


@dataclass(frozen=True, slots=True)
class Suppression:
    """Recognises what was erased by *digests*; without them it only tells that something was."""

    digests: Digests | None

    async def applied(
        self, connection: asyncpg.Connection, items: Sequence[Item], *, now: Instant
    ) -> Sequence[Item]:
        """Return *items* with nothing left of those that are erased, in their places.

        Whatever carries an erased identifier becomes erased itself, so that its receipt says so
        and it stays erased once the identifier is allowed again.

        Args:
            connection: In the batch's transaction; holds off erasures until its end.
            items: In order of their offsets.
            now: The batch's time.

        Raises:
            SetupError: something was erased, and this process cannot recognise what.
        """
        await connection.execute(HOLD_OFF_ERASURES)
        if not await connection.fetchval(_ANY):
            return items
        if self.digests is None:
            raise SetupError(
                "people were erased, and without KEY_PEPPER the classifier cannot recognise what "
                "was theirs: set it to the value that ingest and api have"
            )
        made = [_digests_of(item, self.digests) for item in items]
        wanted = {digest for things, carried in made for digest in (*things, *carried)}
        referrers = {
            index: self.digests.of_identifier(referrer)
            for index, item in enumerate(items)
            if isinstance(item, Arrival) and (referrer := referrer_in(item.record.data))
        }
        found = await erased_among(connection, [*wanted, *referrers.values()])
        if not found:
            return items
        named = {
            index
            for index, digest in referrers.items()
            if digest in found and found[digest].keeps_out(received_at_of(items[index]))
        }
        unnamed = [
            _unnamed(item) if isinstance(item, Arrival) and index in named else item
            for index, item in enumerate(items)
        ]
        return await _without(connection, unnamed, made, found, now)


async def _without(
    connection: asyncpg.Connection,
    items: Sequence[Item],
    made: Sequence[tuple[list[bytes], list[bytes]]],
    found: Mapping[bytes, Remembered],
    now: Instant,
) -> list[Item]:
    kept: list[Item] = []
    kinds: dict[bytes, Erased] = {}
    certificates: dict[bytes, UUID] = {}
    for item, (things, carried) in zip(items, made, strict=True):
        mine = [found[digest] for digest in (*things, *carried) if digest in found]
        erased = [one for one in mine if one.keeps_out(received_at_of(item))]
        if not erased or isinstance(item, Suppressed):
            kept.append(item)
            continue
        kept.append(suppressed(item))
        named = (
            [Erased.TOUCHPOINT] if isinstance(item, Arrival) else [Erased.ITEM, Erased.TOUCHPOINT]
        )
        kinds.update(zip(things, named, strict=False))
        certificates.update(dict.fromkeys(things, erased[0].certificate))
    await remember_erased(connection, kinds, certificates, now=now)
    return kept


def _unnamed(item: Arrival) -> Arrival:
    """Return *item* without the name of its referrer, who was erased."""
    record = msgspec.structs.replace(item.record, data=without_referrer(item.record.data))
    return Arrival(item.offset, record, record.touchpoint, item.identifiers)


def _digests_of(item: Item, digests: Digests) -> tuple[list[bytes], list[bytes]]:
    match item:
        case Arrival():
            return digests.of_record(item.record)
        case Refusal():
            return digests.of_refused(item.source, item.quarantine_id, item.data)
        case Suppressed():
            return [], []
