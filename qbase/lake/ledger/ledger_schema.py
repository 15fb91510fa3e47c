"""The tables of the ledger."""

from __future__ import annotations

import sqlalchemy as sa

VERSION = 3

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
# version 1 -> 2: the same bytes may be read again, and a delivery may replace others
# version 2 -> 3: a delivery may bring rows to several tables, and rows know the contract they were stored under
UPGRADES = {
    1: (
        "ALTER TABLE deliveries ADD COLUMN attempt INTEGER NOT NULL DEFAULT '1'",
        "ALTER TABLE deliveries ADD COLUMN replaces TEXT NOT NULL DEFAULT '[]'",
        "DROP INDEX IF EXISTS one_delivery",
        "CREATE UNIQUE INDEX one_attempt ON deliveries (sha256, attempt) WHERE verdict <> 'REJECTED'",
    ),
    2: (
        "ALTER TABLE deliveries ADD COLUMN by_table TEXT NOT NULL DEFAULT '{}'",
        "ALTER TABLE delivery_tables ADD COLUMN contract INTEGER NOT NULL DEFAULT '0'",
        "CREATE TABLE contracts (number INTEGER NOT NULL PRIMARY KEY, table_name TEXT NOT NULL, "
        "version INTEGER NOT NULL, structure TEXT NOT NULL)",
        "CREATE INDEX ix_contracts_table_name ON contracts (table_name)",
    ),
}
