"""Diffs: what would be different for whom under another stage model.

Revision ID: 0017
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE diffs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_id smallint NOT NULL REFERENCES models (id),
    against_id smallint NOT NULL REFERENCES models (id),
    asked_as_of timestamptz,
    phase text NOT NULL DEFAULT 'requested' CHECK (phase IN ('requested', 'folding', 'done')),
    requested_at timestamptz NOT NULL DEFAULT now(),
    as_of timestamptz,
    read_through timestamptz,
    position uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    customers_done bigint NOT NULL DEFAULT 0,
    customers_of bigint NOT NULL DEFAULT 0,
    flows json NOT NULL DEFAULT '[]',
    digest bytea NOT NULL DEFAULT '',
    ended_at timestamptz,
    told_at timestamptz
)
""",
    "CREATE INDEX diffs_open ON diffs (id) WHERE phase <> 'done'",
    """
CREATE TABLE diff_customers (
    diff_id bigint NOT NULL REFERENCES diffs (id),
    customer_id uuid NOT NULL,
    from_key text NOT NULL,
    to_key text NOT NULL,
    document json NOT NULL,
    identities text[] NOT NULL,
    PRIMARY KEY (diff_id, customer_id)
)
""",
    """
CREATE INDEX diff_customers_of_flow ON diff_customers (diff_id, from_key, to_key, customer_id)
""",
    "CREATE INDEX diff_customers_of_customer ON diff_customers (customer_id)",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Refused: migrations only go forward; restore a backup instead."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
