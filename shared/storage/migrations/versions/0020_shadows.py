"""A rollout may stop before its model comes into force: a shadow, which can also be dropped.

Revision ID: 0020
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE rollouts ADD COLUMN is_shadow boolean NOT NULL DEFAULT false",
    "ALTER TABLE rollouts DROP CONSTRAINT rollouts_phase_check",
    """
ALTER TABLE rollouts ADD CONSTRAINT rollouts_phase_check CHECK (
    phase IN ('requested', 'folding', 'shadowing', 'dropping', 'clearing', 'done'))
""",
    "DROP INDEX rollouts_open",
    "CREATE INDEX rollouts_open ON rollouts (id) WHERE phase NOT IN ('shadowing', 'done')",
)


def upgrade() -> None:
    """Add the column and the phases."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Refused: migrations only go forward; restore a backup instead."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
