"""The version of the ledger, the steps that lead to it from older ones, and how long to wait for another writer."""

from __future__ import annotations

BUSY_SECONDS = 60.0
VERSION = 5

# version 1 -> 2: the same bytes may be read again, and a delivery may replace others
# version 2 -> 3: a delivery may bring rows to several tables, and rows know the contract they were stored under
# version 4 -> 5: what was due by a schedule, and what became of it
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
    4: (
        "CREATE TABLE scheduled_slots (report_id TEXT NOT NULL, rule_key TEXT NOT NULL, due_at TEXT NOT NULL, "
        "state TEXT NOT NULL, claimed_by TEXT NOT NULL DEFAULT '', claimed_at TEXT NOT NULL DEFAULT '', "
        "lease_until TEXT NOT NULL DEFAULT '', attempts INTEGER NOT NULL DEFAULT '0', "
        "run_id TEXT NOT NULL DEFAULT '', is_late INTEGER NOT NULL DEFAULT '0', note TEXT NOT NULL DEFAULT '', "
        "PRIMARY KEY (report_id, rule_key, due_at))",
        "CREATE INDEX scheduled_in_state ON scheduled_slots (state, due_at)",
    ),
}
