"""Referrals, and finding refused links fast.

Revision ID: 0005
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE referrals (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    referee_id bigint REFERENCES identifiers (id),
    referee_stub uuid,
    referrer_kind text COLLATE "C",
    referrer_value text COLLATE "C",
    referrer_stub uuid,
    at timestamptz NOT NULL,
    source text COLLATE "C",
    event_id text COLLATE "C",
    recorded_at timestamptz NOT NULL,
    UNIQUE (source, event_id),
    CHECK ((referee_id IS NULL) <> (referee_stub IS NULL)),
    CHECK ((referrer_value IS NULL) <> (referrer_stub IS NULL))
)
""",
    "CREATE INDEX referrals_by_referee ON referrals (referee_id)",
    "CREATE INDEX referrals_by_referrer ON referrals (referrer_kind, referrer_value)",
    "CREATE INDEX referrals_of_stub ON referrals (referee_stub) WHERE referee_stub IS NOT NULL",
    "CREATE INDEX referrals_by_stub ON referrals (referrer_stub) WHERE referrer_stub IS NOT NULL",
    "CREATE INDEX links_refused ON links (a_id, b_id) WHERE refused",
)


def upgrade() -> None:
    """Create the table of referrals, and an index of refused links."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Refused: migrations only go forward; restore a backup instead."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
