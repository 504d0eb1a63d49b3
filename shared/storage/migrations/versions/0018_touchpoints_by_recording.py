"""Touchpoints that were recorded lately are found without reading all of them.

Revision ID: 0018
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

INDEX = """
CREATE INDEX touchpoints_by_recording ON touchpoints USING brin (recorded_at)
  WITH (autosummarize = on)
"""


def upgrade() -> None:
    """Create the index: a few bytes for every megabyte, since rows come in this order."""
    op.execute(INDEX)


def downgrade() -> None:
    """Refused: migrations only go forward; restore a backup instead."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
