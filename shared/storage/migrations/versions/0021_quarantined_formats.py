"""The quarantine tells in which format an item came, and keeps what was read out of it.

Revision ID: 0021
"""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; items that are there count as native, as before."""
    op.execute("ALTER TABLE quarantine ADD COLUMN format text, ADD COLUMN item bytea")


def downgrade() -> None:
    """Refused: migrations only go forward; restore a backup instead."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
