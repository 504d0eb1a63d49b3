"""What came from each source in each hour, and how much of it was not as it should be.

Revision ID: 0010
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SOURCE_HOURS = """
CREATE TABLE source_hours (
    claim_id smallint NOT NULL REFERENCES claims (id),
    source text COLLATE "C" NOT NULL,
    hour timestamptz NOT NULL,
    received bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    duplicate bigint NOT NULL DEFAULT 0,
    late bigint NOT NULL DEFAULT 0,
    unidentified bigint NOT NULL DEFAULT 0,
    conflicting bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (claim_id, source, hour)
)
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(SOURCE_HOURS)


def downgrade() -> None:
    """Refused: migrations only go forward; restore a backup instead."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
