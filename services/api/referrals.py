"""Referrals as answers carry them, from rows."""

from collections.abc import Iterable

import asyncpg

from services.api.moments import moment_text
from shared.touchpoints import JsonObject


def referrer_documents(chain: Iterable[asyncpg.Record]) -> list[JsonObject]:
    """Return who referred a customer, who referred them, and so on; the nearest first."""
    return [
        {
            "depth": depth,
            "customer_id": None if row["referrer_erased"] else _id(row["referrer"]),
            "identifier": _identifier(row),
            "erased": row["referrer_erased"],
            **_said(row),
        }
        for depth, row in enumerate(chain, start=1)
    ]


def referral_documents(found: Iterable[tuple[int, asyncpg.Record]]) -> list[JsonObject]:
    """Return whom a customer referred, whom they referred, and so on; the nearest first."""
    return [
        {
            "depth": depth,
            "customer_id": None if row["node_erased"] else _id(row["node"]),
            "referred_by": None if row["referrer_erased"] else _id(row["referrer"]),
            "erased": row["node_erased"],
            **_said(row),
        }
        for depth, row in found
    ]


def _said(row: asyncpg.Record) -> JsonObject:
    """Return when it was said and by which touchpoint; None for that of an erased person."""
    return {
        "at": moment_text(row["at"]),
        "source": row["source"],
        "event_id": row["event_id"],
    }


def _identifier(row: asyncpg.Record) -> str | None:
    if row["referrer_kind"] is None:
        return None
    return f"{row['referrer_kind']}:{row['referrer_value']}"


def _id(node: object) -> str | None:
    return None if node is None else str(node)
