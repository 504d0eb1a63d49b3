"""Messages of the feed are numbered among themselves, too.

Revision ID: 0023
"""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE outbox ADD COLUMN feed_seq bigint",
    "ALTER TABLE feed ADD COLUMN transitions bigint NOT NULL DEFAULT 0",
    """
    UPDATE outbox SET feed_seq = numbered.place
      FROM (SELECT id, row_number() OVER (ORDER BY seq) AS place FROM outbox
             WHERE seq IS NOT NULL
               AND type IN ('journey.transition', 'journey.transition_retracted')) numbered
     WHERE outbox.id = numbered.id
    """,
    "UPDATE feed SET transitions = (SELECT count(feed_seq) FROM outbox)",
)


def upgrade() -> None:
    """Add the numbers; what is kept of the feed is numbered from 1."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Refused: migrations only go forward; restore a backup instead."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
