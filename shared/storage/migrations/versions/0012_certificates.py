"""Certificates of erasures, and how far the log has been cleared of what was erased.

Revision ID: 0012
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

CERTIFICATES = """
CREATE TABLE certificates (
    id uuid PRIMARY KEY,
    erased_at timestamptz NOT NULL,
    suppressed boolean NOT NULL,
    document json NOT NULL,
    lifted_at timestamptz,
    log_cleared_at timestamptz,
    vacuumed_at timestamptz
)
"""

KINDS = """
ALTER TABLE erasures DROP CONSTRAINT erasures_kind_check,
    ADD CONSTRAINT erasures_kind_check CHECK (kind IN ('identifier', 'touchpoint', 'item'))
"""


def upgrade() -> None:
    """Create the table of certificates, and allow digests of quarantined items."""
    op.execute(CERTIFICATES)
    op.execute(KINDS)


def downgrade() -> None:
    """Refused: migrations only go forward; restore a backup instead."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
