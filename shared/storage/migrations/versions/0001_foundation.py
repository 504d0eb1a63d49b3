"""The foundation: touchpoints, identity, journeys, the ledger, access.

Revision ID: 0001
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ACCESS = """
CREATE TABLE deployment (
    name text PRIMARY KEY,
    value json NOT NULL
);
CREATE TABLE sources (
    name text COLLATE "C" PRIMARY KEY,
    channel text NOT NULL,
    settings json NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE TABLE keys (
    id text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('write', 'secret')),
    name text,
    source text COLLATE "C" REFERENCES sources (name),
    scopes text[] NOT NULL DEFAULT '{}',
    digest bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    CHECK ((kind = 'write') = (source IS NOT NULL))
);
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    reason text,
    details json NOT NULL DEFAULT '{}',
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL
);
"""

LEDGER = """
CREATE TABLE claims (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    log_id text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    owner text,
    claimed_at timestamptz,
    start_offset bigint NOT NULL,
    next_offset bigint NOT NULL,
    stored bigint NOT NULL DEFAULT 0,
    duplicate bigint NOT NULL DEFAULT 0,
    quarantined bigint NOT NULL DEFAULT 0,
    erased bigint NOT NULL DEFAULT 0,
    gaps bigint NOT NULL DEFAULT 0,
    read_through timestamptz,
    progress_at timestamptz,
    UNIQUE (log_id, topic, partition),
    CHECK (next_offset - start_offset = stored + duplicate + quarantined + erased + gaps)
);
CREATE TABLE source_counts (
    claim_id smallint NOT NULL REFERENCES claims (id),
    source text COLLATE "C" NOT NULL,
    accepted bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    stored bigint NOT NULL DEFAULT 0,
    duplicate bigint NOT NULL DEFAULT 0,
    quarantined bigint NOT NULL DEFAULT 0,
    erased bigint NOT NULL DEFAULT 0,
    last_received_at timestamptz,
    PRIMARY KEY (claim_id, source)
);
CREATE TABLE quarantine (
    id uuid PRIMARY KEY,
    source text COLLATE "C" NOT NULL,
    event_id text COLLATE "C",
    reason text NOT NULL,
    message text NOT NULL,
    errors json NOT NULL DEFAULT '[]',
    raw bytea NOT NULL,
    raw_length bigint NOT NULL,
    raw_sha256 text NOT NULL,
    received_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    claim_id smallint REFERENCES claims (id),
    log_offset bigint,
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'redriven', 'discarded')),
    settled_at timestamptz,
    settled_reason text,
    redriven_event_id text COLLATE "C"
);
CREATE INDEX quarantine_by_event ON quarantine (source, event_id);
CREATE INDEX quarantine_by_time ON quarantine (received_at DESC, id);
CREATE TABLE duplicates (
    source text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    seen integer NOT NULL,
    conflicts integer NOT NULL DEFAULT 0,
    last_seen_at timestamptz NOT NULL,
    last_conflict json,
    PRIMARY KEY (source, event_id)
);
CREATE TABLE erasures (
    digest bytea PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('identifier', 'touchpoint')),
    certificate_id uuid NOT NULL,
    erased_at timestamptz NOT NULL,
    lifted_at timestamptz
);
"""

IDENTITY = """
CREATE TABLE identifiers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    own_id uuid NOT NULL UNIQUE,
    customer_id uuid NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    UNIQUE (kind, value)
);
CREATE INDEX identifiers_by_customer ON identifiers (customer_id);
CREATE TABLE links (
    a_id bigint NOT NULL REFERENCES identifiers (id),
    b_id bigint NOT NULL REFERENCES identifiers (id),
    effective_at timestamptz NOT NULL,
    source text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    recorded_at timestamptz NOT NULL,
    reason text,
    actor text,
    seen integer NOT NULL DEFAULT 1,
    refused boolean NOT NULL DEFAULT false,
    id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    PRIMARY KEY (a_id, b_id, effective_at, source, event_id)
);
CREATE INDEX links_by_b ON links (b_id);
CREATE TABLE bars (
    id uuid PRIMARY KEY,
    a_id bigint NOT NULL REFERENCES identifiers (id),
    b_id bigint NOT NULL REFERENCES identifiers (id),
    reason text NOT NULL,
    actor text NOT NULL,
    recorded_at timestamptz NOT NULL,
    lifted_at timestamptz,
    lifted_reason text,
    lifted_by text
);
CREATE UNIQUE INDEX bars_in_force ON bars (a_id, b_id) WHERE lifted_at IS NULL;
CREATE TABLE customers (
    id uuid PRIMARY KEY,
    profile json NOT NULL,
    touchpoints bigint NOT NULL,
    first_at timestamptz NOT NULL,
    first_channel text NOT NULL,
    last_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
"""

TOUCHPOINTS = """
CREATE TABLE touchpoints (
    identifier_id bigint NOT NULL REFERENCES identifiers (id),
    effective_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    occurred_at timestamptz,
    sent_at timestamptz,
    log_offset bigint NOT NULL,
    claim_id smallint NOT NULL REFERENCES claims (id),
    historical boolean NOT NULL DEFAULT false,
    source text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    channel text NOT NULL,
    type text COLLATE "C" NOT NULL,
    body json NOT NULL,
    text text,
    PRIMARY KEY (source, event_id)
);
CREATE INDEX touchpoints_in_order
    ON touchpoints (identifier_id, effective_at, source, event_id);
"""

JOURNEYS = """
CREATE TABLE models (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version text NOT NULL UNIQUE,
    key text NOT NULL,
    title text NOT NULL,
    document json NOT NULL,
    state text NOT NULL
        CHECK (state IN ('draft', 'activating', 'shadow', 'active', 'retired')),
    is_default boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    activated_at timestamptz
);
CREATE UNIQUE INDEX models_one_active ON models (key) WHERE state = 'active';
CREATE UNIQUE INDEX models_one_default ON models (is_default) WHERE is_default;
CREATE TABLE activations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_id smallint NOT NULL REFERENCES models (id),
    key text NOT NULL,
    activated_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    superseded_at timestamptz
);
CREATE TABLE journeys (
    customer_id uuid NOT NULL,
    model_id smallint NOT NULL REFERENCES models (id),
    state bytea NOT NULL,
    stage text,
    activity text,
    cycle integer NOT NULL,
    peak_stage text,
    stage_since timestamptz,
    next_at timestamptz,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (customer_id, model_id)
);
CREATE INDEX journeys_due ON journeys (next_at) WHERE next_at IS NOT NULL;
CREATE TABLE snapshots (
    customer_id uuid NOT NULL,
    model_id smallint NOT NULL REFERENCES models (id),
    effective_at timestamptz NOT NULL,
    source text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    lasting boolean NOT NULL,
    state bytea NOT NULL,
    PRIMARY KEY (customer_id, model_id, effective_at, source, event_id)
);
CREATE TABLE transitions (
    customer_id uuid NOT NULL,
    model_id smallint NOT NULL REFERENCES models (id),
    at timestamptz NOT NULL,
    id text COLLATE "C" NOT NULL,
    n integer NOT NULL,
    axis text NOT NULL,
    kind text NOT NULL,
    from_key text,
    to_key text NOT NULL,
    cycle integer NOT NULL,
    rule text NOT NULL,
    cause json NOT NULL,
    decided_at timestamptz NOT NULL,
    superseded_at timestamptz,
    PRIMARY KEY (customer_id, model_id, id, n)
);
CREATE INDEX transitions_in_order ON transitions (customer_id, model_id, at, id);
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    seq bigint UNIQUE,
    customer_id uuid,
    type text NOT NULL,
    data json NOT NULL,
    created_at timestamptz NOT NULL,
    relayed_at timestamptz
);
CREATE INDEX outbox_waiting ON outbox (id) WHERE seq IS NULL;
CREATE INDEX outbox_unrelayed ON outbox (id) WHERE relayed_at IS NULL;
"""


def upgrade() -> None:
    """Create every table of the first version."""
    for part in (ACCESS, LEDGER, IDENTITY, TOUCHPOINTS, JOURNEYS):
        for statement in part.split(";\n"):
            if statement.strip():
                op.execute(statement)


def downgrade() -> None:
    """Refused: migrations only go forward; restore a backup instead."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
