"""Rollouts: how far the activation of a stage model has got, and which wording a version has.

Revision ID: 0002
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROLLOUTS = """
ALTER TABLE models ADD COLUMN revision integer NOT NULL DEFAULT 1;
CREATE TABLE rollouts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_id smallint NOT NULL REFERENCES models (id),
    key text NOT NULL,
    phase text NOT NULL DEFAULT 'requested'
        CHECK (phase IN ('requested', 'folding', 'clearing', 'done')),
    requested_at timestamptz NOT NULL,
    position uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    customers_done bigint NOT NULL DEFAULT 0,
    customers_of bigint NOT NULL DEFAULT 0,
    predecessor_id smallint REFERENCES models (id),
    flipped_at timestamptz
);
CREATE UNIQUE INDEX rollouts_one_per_key ON rollouts (key)
    WHERE phase IN ('requested', 'folding');
CREATE INDEX rollouts_open ON rollouts (id) WHERE phase <> 'done';
"""


def upgrade() -> None:
    """Create the table of rollouts."""
    for statement in ROLLOUTS.split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    """Refused: migrations only go forward; restore a backup instead."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
