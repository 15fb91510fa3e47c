"""The version of the ledger, the steps that lead to it from older ones, and how long to wait for another writer."""

from __future__ import annotations

BUSY_SECONDS = 60.0
VERSION = 6

# version 1 -> 2: the same bytes may be read again, and a delivery may replace others
# version 2 -> 3: a delivery may bring rows to several tables, and rows know the contract they were stored under
# version 5 -> 6: a person signs off what moved in a run
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
    3: (),
    4: (),
    5: (
        "CREATE TABLE signoffs (number INTEGER NOT NULL PRIMARY KEY, run_id TEXT NOT NULL, report_id TEXT NOT NULL, "
        "compared_with TEXT NOT NULL, content TEXT NOT NULL, signed_by TEXT NOT NULL, signed_at TEXT NOT NULL, "
        "note TEXT NOT NULL)",
        "CREATE INDEX ix_signoffs_run_id ON signoffs (run_id)",
    ),
}
