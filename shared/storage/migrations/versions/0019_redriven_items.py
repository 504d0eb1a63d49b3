"""What was redriven under another event id is found by that id too, however much was refused.

Revision ID: 0019
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.execute(
        "CREATE INDEX quarantine_by_redrive ON quarantine (source, redriven_event_id)"
        " WHERE redriven_event_id IS NOT NULL"
    )


def downgrade() -> None:
    """Refused: migrations only go forward; restore a backup instead."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
