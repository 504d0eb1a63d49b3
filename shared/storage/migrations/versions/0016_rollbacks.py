"""Activations and rollouts tell whether they go back to the version before.

Revision ID: 0016
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE activations ADD COLUMN is_rollback boolean NOT NULL DEFAULT false",
    "ALTER TABLE rollouts ADD COLUMN is_rollback boolean NOT NULL DEFAULT false",
)


def upgrade() -> None:
    """Add the columns."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Refused: migrations only go forward; restore a backup instead."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
