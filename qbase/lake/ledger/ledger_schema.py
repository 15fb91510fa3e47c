"""The tables of the ledger."""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()
SNAPSHOTS = sa.Table(
    "snapshots",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("delivery", sa.Text, nullable=False),
)
SNAPSHOT_TABLES = sa.Table(
    "snapshot_tables",
    METADATA,
    sa.Column("number", sa.ForeignKey("snapshots.number"), primary_key=True),
    sa.Column("table_name", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)
DELIVERIES = sa.Table(
    "deliveries",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("file_name", sa.Text, nullable=False),
    sa.Column("table", sa.Text, nullable=False),
    sa.Column("recipe", sa.Text, nullable=False),
    sa.Column("producer", sa.Text, nullable=False),
    sa.Column("licence", sa.Text, nullable=False),
    sa.Column("retrieved_on", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("rows_seen", sa.Integer, nullable=False),
    sa.Column("listed", sa.Integer, nullable=False),
    sa.Column("accepted", sa.Integer, nullable=False),
    sa.Column("quarantined", sa.Integer, nullable=False),
    sa.Column("reasons", sa.Text, nullable=False),
    sa.Column("warnings", sa.Text, nullable=False),
    sa.Column("snapshot", sa.Integer, nullable=False),
    sa.Column("loaded_at", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),
    sa.Column("replaces", sa.Text, nullable=False, server_default="[]"),
    sa.Column("by_table", sa.Text, nullable=False, server_default="{}"),
    sa.Index("one_attempt", "sha256", "attempt", unique=True, sqlite_where=sa.text("verdict <> 'REJECTED'")),
)
DELIVERY_TABLES = sa.Table(
    "delivery_tables",
    METADATA,
    sa.Column("delivery", sa.ForeignKey("deliveries.number"), primary_key=True),
    sa.Column("table_name", sa.Text, primary_key=True),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("contract", sa.Integer, nullable=False, server_default="0"),
)
CONTRACTS = sa.Table(
    "contracts",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("table_name", sa.Text, nullable=False, index=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("structure", sa.Text, nullable=False),
)
RUNS = sa.Table(
    "runs",
    METADATA,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("report_id", sa.Text, nullable=False),
    sa.Column("slot", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("snapshot", sa.Text, nullable=False),
    sa.Column("started_at", sa.Text, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Index("runs_of_report", "report_id", "started_at"),
)
SIGNOFFS = sa.Table(
    "signoffs",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False, index=True),
    sa.Column("report_id", sa.Text, nullable=False),
    sa.Column("compared_with", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("signed_by", sa.Text, nullable=False),
    sa.Column("signed_at", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)
