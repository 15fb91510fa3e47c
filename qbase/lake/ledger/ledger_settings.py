"""The version of the ledger, the steps that lead to it from older ones, and how long to wait for another writer."""

from __future__ import annotations

BUSY_SECONDS = 60.0
VERSION = 3
# what the file says when the ledger has moved to a server: to a qbase that knows no servers it is one too new
MOVED = 1_000_000

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
