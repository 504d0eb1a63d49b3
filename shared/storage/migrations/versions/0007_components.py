"""Components: what decides a new link without its whole neighbourhood.

Revision ID: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE components (
    customer_id uuid PRIMARY KEY,
    counts json NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_source text COLLATE "C" NOT NULL,
    changed_event_id text COLLATE "C" NOT NULL
)
""",
    """
INSERT INTO components
SELECT counted.customer_id, counted.counts, latest.effective_at, latest.source, latest.event_id
  FROM (SELECT customer_id, json_object_agg(kind, times ORDER BY kind) AS counts
          FROM (SELECT customer_id, kind, count(*) AS times
                  FROM identifiers GROUP BY customer_id, kind) by_kind
         GROUP BY customer_id HAVING sum(times) > 1) counted
  JOIN (SELECT DISTINCT ON (a.customer_id) a.customer_id, l.effective_at, l.source, l.event_id
          FROM links l
          JOIN identifiers a ON a.id = l.a_id
          JOIN identifiers b ON b.id = l.b_id AND b.customer_id = a.customer_id
         ORDER BY a.customer_id, l.effective_at DESC, l.source DESC, l.event_id DESC) latest
    ON latest.customer_id = counted.customer_id
""",
)


def upgrade() -> None:
    """Create the table and fill it from the customers there are."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Refused: migrations only go forward; restore a backup instead."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
