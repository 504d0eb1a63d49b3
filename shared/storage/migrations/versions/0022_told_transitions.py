"""Transitions that were handed to another customer keep the id under which they were told.

Revision ID: 0022
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

STATEMENTS = (
    'ALTER TABLE transitions ADD COLUMN told_id text COLLATE "C", ADD COLUMN told_n integer',
    "CREATE INDEX transitions_told ON transitions (told_id) WHERE told_id IS NOT NULL",
)


def upgrade() -> None:
    """Add the columns; what was handed over before is taken for told under the id it has now."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Refused: migrations only go forward; restore a backup instead."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
