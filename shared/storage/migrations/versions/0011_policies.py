"""Policies: which identity policies were set, and how far the last one is applied.

Revision ID: 0011
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

POLICIES = """
CREATE TABLE policies (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    document json NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    recorded_at timestamptz NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    identifiers_done bigint NOT NULL DEFAULT 0,
    identifiers_of bigint NOT NULL,
    applied_at timestamptz
)
"""


def upgrade() -> None:
    """Create the table of policies."""
    op.execute(POLICIES)


def downgrade() -> None:
    """Refused: migrations only go forward; restore a backup instead."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
