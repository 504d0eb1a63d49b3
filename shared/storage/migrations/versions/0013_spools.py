"""Spools: what ingest processes hold while the log is away.

Revision ID: 0013
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE spools (
    name text COLLATE "C" PRIMARY KEY,
    records bigint NOT NULL,
    bytes bigint NOT NULL,
    oldest_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL
)
""",
)


def upgrade() -> None:
    """Create the table."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Refused: migrations only go forward; restore a backup instead."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
