"""Every column that could hold a person's data is dealt with by erasure, or said to hold none.

A new column fails here until somebody has thought about it: either the erasure deletes its rows, or
looks into it for mentions, or it cannot hold anything about a person, and here stands why.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import ARRAY, JSON, LargeBinary, Text, Uuid

from services.api.log_clearing import VACUUMED
from shared.storage.tables import metadata

DELETED: Final = "its rows are deleted with the customer"
SEARCHED: Final = "it is searched for mentions, which are deleted or taken out"
DIGEST: Final = "a keyed digest, or a hash of what is hashed already"
OURS: Final = "a name or a number of the system's own"
SETTING: Final = "what an administrator set: about senders, keys, rules and receivers"
TOLD: Final = "written by the system, and quotes nothing that was sent"
AUDIT: Final = "the audit stays: it names customers by their id alone; reasons are what staff wrote"

COLUMNS: Final[Mapping[str, str]] = {
    "activations.key": SETTING,
    "audit.action": AUDIT,
    "audit.actor": AUDIT,
    "audit.details": AUDIT,
    "audit.hash": DIGEST,
    "audit.previous_hash": DIGEST,
    "audit.reason": AUDIT,
    "audit.subject": AUDIT,
    "bars.actor": DELETED,
    "bars.id": DELETED,
    "bars.lifted_by": DELETED,
    "bars.lifted_reason": DELETED,
    "bars.reason": DELETED,
    "certificates.document": TOLD,
    "certificates.id": OURS,
    "claims.log_id": OURS,
    "claims.owner": OURS,
    "claims.topic": OURS,
    "components.changed_event_id": DELETED,
    "components.changed_source": DELETED,
    "components.counts": DELETED,
    "components.customer_id": DELETED,
    "customers.first_channel": DELETED,
    "customers.id": DELETED,
    "customers.profile": DELETED,
    "deliveries.customer_id": DELETED,
    "deliveries.error": TOLD,
    "deliveries.message_id": OURS,
    "deliveries.status": OURS,
    "deliveries.type": OURS,
    "deliveries.webhook_id": OURS,
    "deployment.name": SETTING,
    "deployment.value": SETTING,
    "diff_customers.customer_id": DELETED,
    "diff_customers.document": DELETED,
    "diff_customers.from_key": DELETED,
    "diff_customers.identities": DELETED,
    "diff_customers.to_key": DELETED,
    "diffs.digest": DIGEST,
    "diffs.flows": "how many customers, by stages",
    "diffs.phase": OURS,
    "diffs.position": "the id up to which customers are done, until the diff is dropped in a day",
    "duplicates.event_id": DELETED,
    "duplicates.last_conflict": SEARCHED,
    "duplicates.source": DELETED,
    "erasures.certificate_id": OURS,
    "erasures.digest": DIGEST,
    "erasures.kind": OURS,
    "identifiers.customer_id": DELETED,
    "identifiers.kind": DELETED,
    "identifiers.own_id": DELETED,
    "identifiers.value": DELETED,
    "imports.id": OURS,
    "imports.source": OURS,
    "imports.state": TOLD,
    "journeys.activity": DELETED,
    "journeys.customer_id": DELETED,
    "journeys.peak_stage": DELETED,
    "journeys.stage": DELETED,
    "journeys.state": DELETED,
    "keys.digest": DIGEST,
    "keys.id": OURS,
    "keys.kind": SETTING,
    "keys.name": SETTING,
    "keys.scopes": SETTING,
    "keys.source": SETTING,
    "links.actor": DELETED,
    "links.event_id": DELETED,
    "links.id": DELETED,
    "links.reason": DELETED,
    "links.source": DELETED,
    "models.document": SETTING,
    "models.key": SETTING,
    "models.state": OURS,
    "models.title": SETTING,
    "models.version": SETTING,
    "personas.document": SETTING,
    "personas.key": SETTING,
    "outbox.customer_id": DELETED,
    "outbox.data": SEARCHED,
    "outbox.type": OURS,
    "policies.actor": SETTING,
    "policies.document": SETTING,
    "policies.reason": SETTING,
    "quarantine.errors": SEARCHED,
    "quarantine.event_id": DELETED,
    "quarantine.format": DELETED,
    "quarantine.id": DELETED,
    "quarantine.item": SEARCHED,
    "quarantine.message": SEARCHED,
    "quarantine.raw": SEARCHED,
    "quarantine.raw_sha256": DELETED,
    "quarantine.reason": DELETED,
    "quarantine.redriven_event_id": DELETED,
    "quarantine.settled_reason": SEARCHED,
    "quarantine.source": DELETED,
    "quarantine.status": DELETED,
    "referrals.event_id": DELETED,
    "referrals.referee_stub": "a random number where somebody was erased from a chain",
    "referrals.referrer_kind": DELETED,
    "referrals.referrer_stub": "a random number where somebody was erased from a chain",
    "referrals.referrer_value": DELETED,
    "referrals.source": DELETED,
    "rollouts.key": SETTING,
    "rollouts.phase": OURS,
    "rollouts.position": "the id up to which customers are done, until the rollout ends",
    "snapshots.customer_id": DELETED,
    "snapshots.event_id": DELETED,
    "snapshots.source": DELETED,
    "snapshots.state": DELETED,
    "source_counts.source": OURS,
    "source_hours.source": OURS,
    "sources.channel": SETTING,
    "sources.name": SETTING,
    "sources.settings": SETTING,
    "spools.name": OURS,
    "touchpoints.body": SEARCHED,
    "touchpoints.channel": DELETED,
    "touchpoints.event_id": DELETED,
    "touchpoints.source": DELETED,
    "touchpoints.text": DELETED,
    "touchpoints.type": DELETED,
    "transitions.axis": DELETED,
    "transitions.cause": SEARCHED,
    "transitions.customer_id": DELETED,
    "transitions.from_key": DELETED,
    "transitions.id": DELETED,
    "transitions.kind": DELETED,
    "transitions.rule": DELETED,
    "transitions.to_key": DELETED,
    "transitions.told_id": DIGEST,
    "webhooks.disabled_reason": TOLD,
    "webhooks.events": SETTING,
    "webhooks.id": OURS,
    "webhooks.rotated_at": OURS,
    "webhooks.status": OURS,
    "webhooks.url": SETTING,
}
"""Why each column may stay as it is when a customer is erased."""


def test_every_column_that_could_hold_a_person_s_data_is_accounted_for() -> None:
    telling = (Text, JSON, LargeBinary, ARRAY, Uuid)
    found = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, telling)
    }
    assert found - COLUMNS.keys() == set(), "say what an erasure does about these"
    assert COLUMNS.keys() - found == set(), "these are gone"


def test_what_an_erasure_deletes_from_is_vacuumed_after_it() -> None:
    touched = {
        name.partition(".")[0] for name, why in COLUMNS.items() if why in {DELETED, SEARCHED}
    }
    assert touched == set(VACUUMED)
