"""The PostgreSQL schema, as SQLAlchemy Core tables; the migrations create what stands here.

What every table is for stands in ARCHITECTURE.md. Text that takes part in canonical order or in
keysets is ``COLLATE "C"``: it compares by code point, as the fold does.
"""

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

metadata = MetaData()
Moment = DateTime(timezone=True)

deployment = Table(
    "deployment",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", JSON, nullable=False),
)

sources = Table(
    "sources",
    metadata,
    Column("name", Text(collation="C"), primary_key=True),
    Column("channel", Text, nullable=False),
    Column("settings", JSON, nullable=False, server_default=text("'{}'")),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text),
    Column("source", Text(collation="C"), ForeignKey("sources.name")),
    Column("scopes", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
    Column("last_used_at", Moment),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text),
    Column("details", JSON, nullable=False, server_default=text("'{}'")),
    Column("previous_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)


claims = Table(
    "claims",
    metadata,
    Column("id", SmallInteger, Identity(always=True), primary_key=True),
    Column("log_id", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("owner", Text),
    Column("claimed_at", Moment),
    Column("start_offset", BigInteger, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("stored", BigInteger, nullable=False, server_default=text("0")),
    Column("duplicate", BigInteger, nullable=False, server_default=text("0")),
    Column("quarantined", BigInteger, nullable=False, server_default=text("0")),
    Column("erased", BigInteger, nullable=False, server_default=text("0")),
    Column("gaps", BigInteger, nullable=False, server_default=text("0")),
    Column("read_through", Moment),
    Column("progress_at", Moment),
    UniqueConstraint("log_id", "topic", "partition"),
)

spools = Table(
    "spools",
    metadata,
    Column("name", Text(collation="C"), primary_key=True),
    Column("records", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("oldest_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("swept_for", BigInteger, nullable=False, server_default=text("0")),
)

source_counts = Table(
    "source_counts",
    metadata,
    Column("claim_id", SmallInteger, ForeignKey("claims.id"), primary_key=True),
    Column("source", Text(collation="C"), primary_key=True),
    Column("accepted", BigInteger, nullable=False, server_default=text("0")),
    Column("rejected", BigInteger, nullable=False, server_default=text("0")),
    Column("stored", BigInteger, nullable=False, server_default=text("0")),
    Column("duplicate", BigInteger, nullable=False, server_default=text("0")),
    Column("quarantined", BigInteger, nullable=False, server_default=text("0")),
    Column("erased", BigInteger, nullable=False, server_default=text("0")),
    Column("last_received_at", Moment),
)

source_hours = Table(
    "source_hours",
    metadata,
    Column("claim_id", SmallInteger, ForeignKey("claims.id"), primary_key=True),
    Column("source", Text(collation="C"), primary_key=True),
    Column("hour", Moment, primary_key=True),
    Column("received", BigInteger, nullable=False, server_default=text("0")),
    Column("rejected", BigInteger, nullable=False, server_default=text("0")),
    Column("duplicate", BigInteger, nullable=False, server_default=text("0")),
    Column("late", BigInteger, nullable=False, server_default=text("0")),
    Column("unidentified", BigInteger, nullable=False, server_default=text("0")),
    Column("conflicting", BigInteger, nullable=False, server_default=text("0")),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("source", Text(collation="C"), nullable=False),
    Column("event_id", Text(collation="C")),
    Column("reason", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("errors", JSON, nullable=False, server_default=text("'[]'")),
    Column("raw", LargeBinary, nullable=False),
    Column("raw_length", BigInteger, nullable=False),
    Column("raw_sha256", Text, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("claim_id", SmallInteger, ForeignKey("claims.id")),
    Column("log_offset", BigInteger),
    Column("status", Text, nullable=False, server_default=text("'open'")),
    Column("settled_at", Moment),
    Column("settled_reason", Text),
    Column("redriven_event_id", Text(collation="C")),
    Column("format", Text),
    Column("item", LargeBinary),
)

duplicates = Table(
    "duplicates",
    metadata,
    Column("source", Text(collation="C"), primary_key=True),
    Column("event_id", Text(collation="C"), primary_key=True),
    Column("seen", Integer, nullable=False),
    Column("conflicts", Integer, nullable=False, server_default=text("0")),
    Column("last_seen_at", Moment, nullable=False),
    Column("last_conflict", JSON),
)

erasures = Table(
    "erasures",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("certificate_id", Uuid, nullable=False),
    Column("erased_at", Moment, nullable=False),
    Column("lifted_at", Moment),
)

certificates = Table(
    "certificates",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("erased_at", Moment, nullable=False),
    Column("suppressed", Boolean, nullable=False),
    Column("document", JSON, nullable=False),
    Column("lifted_at", Moment),
    Column("log_cleared_at", Moment),
    Column("vacuumed_at", Moment),
    Column("number", BigInteger, Identity(always=True), nullable=False, unique=True),
)

Index("quarantine_by_event", quarantine.c.source, quarantine.c.event_id)
Index(
    "quarantine_by_redrive",
    quarantine.c.source,
    quarantine.c.redriven_event_id,
    postgresql_where=text("redriven_event_id IS NOT NULL"),
)
Index("quarantine_by_time", quarantine.c.received_at.desc(), quarantine.c.id)
Index(
    "quarantine_open",
    quarantine.c.source,
    quarantine.c.received_at,
    quarantine.c.id,
    postgresql_where=text("status = 'open'"),
)

identifiers = Table(
    "identifiers",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text(collation="C"), nullable=False),
    Column("value", Text(collation="C"), nullable=False),
    Column("own_id", Uuid, nullable=False, unique=True),
    Column("customer_id", Uuid, nullable=False),
    Column("first_seen_at", Moment, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("kind", "value"),
)

links = Table(
    "links",
    metadata,
    Column("a_id", BigInteger, ForeignKey("identifiers.id"), primary_key=True),
    Column("b_id", BigInteger, ForeignKey("identifiers.id"), primary_key=True),
    Column("effective_at", Moment, primary_key=True),
    Column("source", Text(collation="C"), primary_key=True),
    Column("event_id", Text(collation="C"), primary_key=True),
    Column("recorded_at", Moment, nullable=False),
    Column("reason", Text),
    Column("actor", Text),
    Column("seen", Integer, nullable=False, server_default=text("1")),
    Column("refused", Boolean, nullable=False, server_default=text("false")),
    Column("id", Uuid, nullable=False, server_default=text("gen_random_uuid()"), unique=True),
)

bars = Table(
    "bars",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("a_id", BigInteger, ForeignKey("identifiers.id"), nullable=False),
    Column("b_id", BigInteger, ForeignKey("identifiers.id"), nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("lifted_at", Moment),
    Column("lifted_reason", Text),
    Column("lifted_by", Text),
)

policies = Table(
    "policies",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("document", JSON, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("position", BigInteger, nullable=False, server_default=text("0")),
    Column("identifiers_done", BigInteger, nullable=False, server_default=text("0")),
    Column("identifiers_of", BigInteger, nullable=False),
    Column("applied_at", Moment),
)

components = Table(
    "components",
    metadata,
    Column("customer_id", Uuid, primary_key=True),
    Column("counts", JSON, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("changed_source", Text(collation="C"), nullable=False),
    Column("changed_event_id", Text(collation="C"), nullable=False),
)

customers = Table(
    "customers",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("profile", JSON, nullable=False),
    Column("touchpoints", BigInteger, nullable=False),
    Column("first_at", Moment, nullable=False),
    Column("first_channel", Text, nullable=False),
    Column("last_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

referrals = Table(
    "referrals",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("referee_id", BigInteger, ForeignKey("identifiers.id")),
    Column("referee_stub", Uuid),
    Column("referrer_kind", Text(collation="C")),
    Column("referrer_value", Text(collation="C")),
    Column("referrer_stub", Uuid),
    Column("at", Moment, nullable=False),
    Column("source", Text(collation="C")),
    Column("event_id", Text(collation="C")),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("source", "event_id"),
)

Index("referrals_by_referee", referrals.c.referee_id)
Index("referrals_by_referrer", referrals.c.referrer_kind, referrals.c.referrer_value)
Index(
    "referrals_of_stub",
    referrals.c.referee_stub,
    postgresql_where=text("referee_stub IS NOT NULL"),
)
Index(
    "referrals_by_stub",
    referrals.c.referrer_stub,
    postgresql_where=text("referrer_stub IS NOT NULL"),
)
Index("identifiers_by_customer", identifiers.c.customer_id)
Index("links_by_b", links.c.b_id)
Index("links_refused", links.c.a_id, links.c.b_id, postgresql_where=text("refused"))
Index("bars_by_a", bars.c.a_id)
Index("bars_by_b", bars.c.b_id)
Index(
    "bars_in_force",
    bars.c.a_id,
    bars.c.b_id,
    unique=True,
    postgresql_where=text("lifted_at IS NULL"),
)

touchpoints = Table(
    "touchpoints",
    metadata,
    Column("identifier_id", BigInteger, ForeignKey("identifiers.id"), nullable=False),
    Column("effective_at", Moment, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("occurred_at", Moment),
    Column("sent_at", Moment),
    Column("log_offset", BigInteger, nullable=False),
    Column("claim_id", SmallInteger, ForeignKey("claims.id"), nullable=False),
    Column("historical", Boolean, nullable=False, server_default=text("false")),
    Column("source", Text(collation="C"), primary_key=True),
    Column("event_id", Text(collation="C"), primary_key=True),
    Column("channel", Text, nullable=False),
    Column("type", Text(collation="C"), nullable=False),
    Column("body", JSON, nullable=False),
    Column("text", Text),
)

Index(
    "touchpoints_in_order",
    touchpoints.c.identifier_id,
    touchpoints.c.effective_at,
    touchpoints.c.source,
    touchpoints.c.event_id,
)

Index("touchpoints_by_time", touchpoints.c.effective_at, postgresql_using="brin")
Index("touchpoints_by_recording", touchpoints.c.recorded_at, postgresql_using="brin")

models = Table(
    "models",
    metadata,
    Column("id", SmallInteger, Identity(always=True), primary_key=True),
    Column("version", Text, nullable=False, unique=True),
    Column("key", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("document", JSON, nullable=False),
    Column("state", Text, nullable=False),
    Column("is_default", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", Moment, nullable=False),
    Column("activated_at", Moment),
    Column("revision", Integer, nullable=False, server_default=text("1")),
)

personas = Table(
    "personas",
    metadata,
    Column("key", Text(collation="C"), primary_key=True),
    Column("document", JSON, nullable=False),
    Column("recorded_at", Moment, nullable=False),
)

activations = Table(
    "activations",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("model_id", SmallInteger, ForeignKey("models.id"), nullable=False),
    Column("key", Text, nullable=False),
    Column("activated_at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("superseded_at", Moment),
    Column("is_rollback", Boolean, nullable=False, server_default=text("false")),
)

rollouts = Table(
    "rollouts",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("model_id", SmallInteger, ForeignKey("models.id"), nullable=False),
    Column("key", Text, nullable=False),
    Column("phase", Text, nullable=False, server_default=text("'requested'")),
    Column("requested_at", Moment, nullable=False),
    Column(
        "position",
        Uuid,
        nullable=False,
        server_default=text("'00000000-0000-0000-0000-000000000000'"),
    ),
    Column("customers_done", BigInteger, nullable=False, server_default=text("0")),
    Column("customers_of", BigInteger, nullable=False, server_default=text("0")),
    Column("predecessor_id", SmallInteger, ForeignKey("models.id")),
    Column("flipped_at", Moment),
    Column("is_rollback", Boolean, nullable=False, server_default=text("false")),
    Column("is_shadow", Boolean, nullable=False, server_default=text("false")),
)

diffs = Table(
    "diffs",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("model_id", SmallInteger, ForeignKey("models.id"), nullable=False),
    Column("against_id", SmallInteger, ForeignKey("models.id"), nullable=False),
    Column("asked_as_of", Moment),
    Column("phase", Text, nullable=False, server_default=text("'requested'")),
    Column("requested_at", Moment, nullable=False, server_default=text("now()")),
    Column("as_of", Moment),
    Column("read_through", Moment),
    Column(
        "position",
        Uuid,
        nullable=False,
        server_default=text("'00000000-0000-0000-0000-000000000000'"),
    ),
    Column("customers_done", BigInteger, nullable=False, server_default=text("0")),
    Column("customers_of", BigInteger, nullable=False, server_default=text("0")),
    Column("flows", JSON, nullable=False, server_default=text("'[]'")),
    Column("digest", LargeBinary, nullable=False, server_default=text("''")),
    Column("ended_at", Moment),
    Column("told_at", Moment),
)

diff_customers = Table(
    "diff_customers",
    metadata,
    Column("diff_id", BigInteger, ForeignKey("diffs.id"), primary_key=True),
    Column("customer_id", Uuid, primary_key=True),
    Column("from_key", Text, nullable=False),
    Column("to_key", Text, nullable=False),
    Column("document", JSON, nullable=False),
    Column("identities", ARRAY(Text), nullable=False),
)

journeys = Table(
    "journeys",
    metadata,
    Column("customer_id", Uuid, primary_key=True),
    Column("model_id", SmallInteger, ForeignKey("models.id"), primary_key=True),
    Column("state", LargeBinary, nullable=False),
    Column("stage", Text),
    Column("activity", Text),
    Column("cycle", Integer, nullable=False),
    Column("peak_stage", Text),
    Column("stage_since", Moment),
    Column("next_at", Moment),
    Column("updated_at", Moment, nullable=False),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("customer_id", Uuid, primary_key=True),
    Column("model_id", SmallInteger, ForeignKey("models.id"), primary_key=True),
    Column("effective_at", Moment, primary_key=True),
    Column("source", Text(collation="C"), primary_key=True),
    Column("event_id", Text(collation="C"), primary_key=True),
    Column("lasting", Boolean, nullable=False),
    Column("state", LargeBinary, nullable=False),
)

transitions = Table(
    "transitions",
    metadata,
    Column("customer_id", Uuid, primary_key=True),
    Column("model_id", SmallInteger, ForeignKey("models.id"), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("id", Text(collation="C"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("axis", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("from_key", Text),
    Column("to_key", Text, nullable=False),
    Column("cycle", Integer, nullable=False),
    Column("rule", Text, nullable=False),
    Column("cause", JSON, nullable=False),
    Column("decided_at", Moment, nullable=False),
    Column("superseded_at", Moment),
    Column("told_id", Text(collation="C")),
    Column("told_n", Integer),
    Index("transitions_told", "told_id", postgresql_where=text("told_id IS NOT NULL")),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("seq", BigInteger, unique=True),
    Column("feed_seq", BigInteger),
    Column("customer_id", Uuid),
    Column("type", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("relayed_at", Moment),
)

imports = Table(
    "imports",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("source", Text(collation="C"), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("state", JSON, nullable=False),
    Index("imports_newest", "started_at"),
)

feed = Table(
    "feed",
    metadata,
    Column("only_row", Boolean, primary_key=True, server_default=text("true")),
    Column("published", BigInteger, nullable=False, server_default=text("0")),
    Column("transitions", BigInteger, nullable=False, server_default=text("0")),
    Column("forgotten", BigInteger, nullable=False, server_default=text("0")),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("url", Text, nullable=False),
    Column("events", ARRAY(Text), nullable=False),
    Column("max_age", BigInteger, nullable=False),
    Column("status", Text, nullable=False, server_default=text("'active'")),
    Column("disabled_reason", Text),
    Column("rotated_at", ARRAY(Moment), nullable=False, server_default=text("'{}'")),
    Column("position", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("paused_until", Moment),
    Column("created_at", Moment, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("webhook_id", Uuid, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("seq", BigInteger),
    Column("message_id", Text, nullable=False),
    Column("customer_id", Uuid),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False, server_default=text("'pending'")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("response_status", Integer),
    Column("error", Text),
    Column("due_at", Moment, nullable=False),
    Column("attempted_at", Moment),
    Column("created_at", Moment, nullable=False),
)

Index("deliveries_by_webhook", deliveries.c.webhook_id, deliveries.c.id)
Index(
    "deliveries_due",
    deliveries.c.webhook_id,
    deliveries.c.due_at,
    postgresql_where=text("status = 'pending'"),
)
Index(
    "deliveries_in_order",
    deliveries.c.webhook_id,
    deliveries.c.customer_id,
    deliveries.c.seq,
    postgresql_where=text("status = 'pending'"),
)

Index("models_one_active", models.c.key, unique=True, postgresql_where=text("state = 'active'"))
Index("models_one_default", models.c.is_default, unique=True, postgresql_where=text("is_default"))
Index(
    "rollouts_one_per_key",
    rollouts.c.key,
    unique=True,
    postgresql_where=text("phase IN ('requested', 'folding')"),
)
Index(
    "rollouts_open",
    rollouts.c.id,
    postgresql_where=text("phase NOT IN ('shadowing', 'done')"),
)
Index("diffs_open", diffs.c.id, postgresql_where=text("phase <> 'done'"))
Index(
    "diff_customers_of_flow",
    diff_customers.c.diff_id,
    diff_customers.c.from_key,
    diff_customers.c.to_key,
    diff_customers.c.customer_id,
)
Index("diff_customers_of_customer", diff_customers.c.customer_id)
Index("journeys_due", journeys.c.next_at, postgresql_where=text("next_at IS NOT NULL"))
Index(
    "transitions_in_order",
    transitions.c.customer_id,
    transitions.c.model_id,
    transitions.c.at,
    transitions.c.id,
)
Index("transitions_by_time", transitions.c.at, postgresql_using="brin")
Index("outbox_waiting", outbox.c.id, postgresql_where=text("seq IS NULL"))
Index(
    "outbox_unrelayed",
    outbox.c.seq,
    postgresql_where=text("relayed_at IS NULL AND seq IS NOT NULL"),
)
