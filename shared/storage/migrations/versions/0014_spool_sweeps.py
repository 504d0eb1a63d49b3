"""Erasures get numbers, and a spool tells for which of them it was gone through.

Revision ID: 0014
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE certificates ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY UNIQUE",
    "ALTER TABLE spools ADD COLUMN swept_for bigint NOT NULL DEFAULT 0",
)


def upgrade() -> None:
    """Add the columns."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Refused: migrations only go forward; restore a backup instead."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
