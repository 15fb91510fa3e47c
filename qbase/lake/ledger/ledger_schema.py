"""The tables of the ledger."""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()
# everywhere sorted by code point, as SQLite does it; a server would sort by the language of its database
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_COUNTED = sa.text("verdict <> 'REJECTED'")
SNAPSHOTS = sa.Table(
    "snapshots",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("created_at", _TEXT, nullable=False),
    sa.Column("delivery", _TEXT, nullable=False),
)
SNAPSHOT_TABLES = sa.Table(
    "snapshot_tables",
    METADATA,
    sa.Column("number", sa.ForeignKey("snapshots.number"), primary_key=True),
    sa.Column("table_name", _TEXT, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)
DELIVERIES = sa.Table(
    "deliveries",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("sha256", _TEXT, nullable=False),
    sa.Column("file_name", _TEXT, nullable=False),
    sa.Column("table", _TEXT, nullable=False),
    sa.Column("recipe", _TEXT, nullable=False),
    sa.Column("producer", _TEXT, nullable=False),
    sa.Column("licence", _TEXT, nullable=False),
    sa.Column("retrieved_on", _TEXT, nullable=False),
    sa.Column("verdict", _TEXT, nullable=False),
    sa.Column("rows_seen", sa.Integer, nullable=False),
    sa.Column("listed", sa.Integer, nullable=False),
    sa.Column("accepted", sa.Integer, nullable=False),
    sa.Column("quarantined", sa.Integer, nullable=False),
    sa.Column("reasons", _TEXT, nullable=False),
    sa.Column("warnings", _TEXT, nullable=False),
    sa.Column("snapshot", sa.Integer, nullable=False),
    sa.Column("loaded_at", _TEXT, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),
    sa.Column("replaces", _TEXT, nullable=False, server_default="[]"),
    sa.Column("by_table", _TEXT, nullable=False, server_default="{}"),
    sa.Index("one_attempt", "sha256", "attempt", unique=True, sqlite_where=_COUNTED, postgresql_where=_COUNTED),
)
DELIVERY_TABLES = sa.Table(
    "delivery_tables",
    METADATA,
    sa.Column("delivery", sa.ForeignKey("deliveries.number"), primary_key=True),
    sa.Column("table_name", _TEXT, primary_key=True),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("contract", sa.Integer, nullable=False, server_default="0"),
)
CONTRACTS = sa.Table(
    "contracts",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("table_name", _TEXT, nullable=False, index=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("structure", _TEXT, nullable=False),
)
RUNS = sa.Table(
    "runs",
    METADATA,
    sa.Column("run_id", _TEXT, primary_key=True),
    sa.Column("report_id", _TEXT, nullable=False),
    sa.Column("slot", _TEXT, nullable=False),
    sa.Column("state", _TEXT, nullable=False),
    sa.Column("fingerprint", _TEXT, nullable=False),
    sa.Column("snapshot", _TEXT, nullable=False),
    sa.Column("started_at", _TEXT, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("payload", _TEXT, nullable=False),
    sa.Column("slot_key", _TEXT, nullable=False, server_default=""),
    sa.Column("subject", _TEXT, nullable=False, server_default=""),
    sa.Index("runs_of_report", "report_id", "started_at"),
    sa.Index("runs_of_slot", "slot_key", "started_at"),
    sa.Index("runs_in_state", "state", "started_at"),
)
# who may publish for a slot: run_id and holder are empty while nobody may, and the token of every claim is a new one
SLOTS = sa.Table(
    "slots",
    METADATA,
    sa.Column("key", _TEXT, primary_key=True),
    sa.Column("report_id", _TEXT, nullable=False),
    sa.Column("slot", _TEXT, nullable=False),
    sa.Column("run_id", _TEXT, nullable=False, server_default=""),
    sa.Column("holder", _TEXT, nullable=False, server_default=""),
    sa.Column("token", sa.Integer, nullable=False, server_default="0"),
    sa.Column("host", _TEXT, nullable=False, server_default=""),
    sa.Column("lease_seconds", sa.Float, nullable=False, server_default="0"),
    sa.Column("lease_until", sa.Float),
    sa.Column("published", _TEXT, nullable=False, server_default=""),
)
RUN_STEPS = sa.Table(
    "run_steps",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("run_id", _TEXT, nullable=False, index=True),
    sa.Column("state", _TEXT, nullable=False),
    sa.Column("at", _TEXT, nullable=False),
    sa.Column("reason", _TEXT, nullable=False, server_default=""),
)
# what was due by a schedule: unique, in one spelling of an instant, so that two schedulers cannot both have it
SCHEDULED_SLOTS = sa.Table(
    "scheduled_slots",
    METADATA,
    sa.Column("report_id", _TEXT, primary_key=True),
    sa.Column("rule_key", _TEXT, primary_key=True),
    sa.Column("due_at", _TEXT, primary_key=True),
    sa.Column("state", _TEXT, nullable=False),
    sa.Column("claimed_by", _TEXT, nullable=False, server_default=""),
    sa.Column("claimed_at", _TEXT, nullable=False, server_default=""),
    sa.Column("lease_until", _TEXT, nullable=False, server_default=""),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("run_id", _TEXT, nullable=False, server_default=""),
    sa.Column("is_late", sa.Integer, nullable=False, server_default="0"),
    sa.Column("note", _TEXT, nullable=False, server_default=""),
    sa.Index("scheduled_in_state", "state", "due_at"),
)
SIGNOFFS = sa.Table(
    "signoffs",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("run_id", _TEXT, nullable=False, index=True),
    sa.Column("report_id", _TEXT, nullable=False),
    sa.Column("compared_with", _TEXT, nullable=False),
    sa.Column("content", _TEXT, nullable=False),
    sa.Column("signed_by", _TEXT, nullable=False),
    sa.Column("signed_at", _TEXT, nullable=False),
    sa.Column("note", _TEXT, nullable=False),
)
# what leaves the house: who asked, who looked, what was decided, when it was shared; rows are never changed
RELEASE_STEPS = sa.Table(
    "release_steps",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("request_id", _TEXT, nullable=False, index=True),
    sa.Column("page", _TEXT, nullable=False),
    sa.Column("report_id", _TEXT, nullable=False),
    sa.Column("run_id", _TEXT, nullable=False),
    sa.Column("html_sha256", _TEXT, nullable=False),
    sa.Column("profile", _TEXT, nullable=False),
    sa.Column("preset", _TEXT, nullable=False),
    sa.Column("action", _TEXT, nullable=False),
    sa.Column("account", _TEXT, nullable=False),
    sa.Column("at", _TEXT, nullable=False),
    sa.Column("reason", _TEXT, nullable=False, server_default=""),
    sa.Column("content", _TEXT, nullable=False, server_default="{}"),
)
