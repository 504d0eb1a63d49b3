"""Acts by hand: in a transaction that is tried again where others are in its way."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import asyncpg

from services.api.resources import Resources
from shared.keys import Principal
from shared.upkeep.acts import Done, Hand
from shared.upkeep.transactions import TransactionConflict, transaction

Work: TypeAlias = Callable[[asyncpg.Connection], Awaitable[Done]]

TRIES: Final = 5


def hand_of(principal: Principal, reason: str) -> Hand:
    """Return the holder of a key as one who acts for *reason*."""
    return Hand(principal.actor, reason)


async def carried_out(resources: Resources, work: Work) -> Done:
    """Do *work* in a transaction of its own.

    Raises:
        TransactionConflict: Others were in the way again and again; nothing was done.
        DatabaseUnavailable: Whether it was done is unknown; the same may be asked for again.
    """
    for _ in range(TRIES - 1):
        with contextlib.suppress(TransactionConflict):
            async with transaction(resources.engine) as connection:
                return await work(connection)
    async with transaction(resources.engine) as connection:
        return await work(connection)
