"""The feed: how far what has to be told is numbered, and from where on it is still kept.

Revision ID: 0003
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FEED = """
CREATE TABLE feed (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    published bigint NOT NULL DEFAULT 0,
    forgotten bigint NOT NULL DEFAULT 0,
    CHECK (forgotten <= published)
);
INSERT INTO feed DEFAULT VALUES;
DROP INDEX outbox_unrelayed;
CREATE INDEX outbox_unrelayed ON outbox (seq) WHERE relayed_at IS NULL AND seq IS NOT NULL;
"""


def upgrade() -> None:
    """Create the table of the feed, with its one row."""
    for statement in FEED.split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    """Refused: migrations only go forward; restore a backup instead."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
