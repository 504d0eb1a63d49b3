"""Personas, and indexes by time for reports: small ones, because rows come nearly in that order.

Revision ID: 0015
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE personas (
        key text COLLATE "C" PRIMARY KEY,
        document json NOT NULL,
        recorded_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX touchpoints_by_time ON touchpoints USING brin (effective_at)",
    "CREATE INDEX transitions_by_time ON transitions USING brin (at)",
)


def upgrade() -> None:
    """Add the table and the indexes."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Refused: migrations only go forward; restore a backup instead."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
