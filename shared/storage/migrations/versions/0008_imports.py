"""Imports of files, and how far each one has got.

Revision ID: 0008
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE imports (
    id uuid PRIMARY KEY,
    source text COLLATE "C" NOT NULL,
    started_at timestamptz NOT NULL,
    state json NOT NULL
)
""",
    "CREATE INDEX imports_newest ON imports (started_at)",
)


def upgrade() -> None:
    """Create the table of imports."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Refused: migrations only go forward; restore a backup instead."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
