"""The version of the ledger, the steps that lead to it from older ones, and how long to wait for another writer."""

from __future__ import annotations

BUSY_SECONDS = 60.0
VERSION = 7
# what the file says when the ledger has moved to a server: to a qbase that knows no servers it is one too new
MOVED = 1_000_000

# version 1 -> 2: the same bytes may be read again, and a delivery may replace others
# version 2 -> 3: a delivery may bring rows to several tables, and rows know the contract they were stored under
# version 3 -> 4: a run has a slot that one runner at a time may hold, a subject, and the steps it went through
# version 4 -> 5: what was due by a schedule, and what became of it
# version 5 -> 6: a person signs off what moved in a run
# version 6 -> 7: what leaves the house is asked for, seen, decided and shared
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
    3: (
        "ALTER TABLE runs ADD COLUMN slot_key TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE runs ADD COLUMN subject TEXT NOT NULL DEFAULT ''",
        "UPDATE runs SET subject = COALESCE(CAST(json_extract(payload, '$.params.subject') AS TEXT), '')",
        "CREATE INDEX runs_of_slot ON runs (slot_key, started_at)",
        "CREATE INDEX runs_in_state ON runs (state, started_at)",
        "CREATE TABLE slots (key TEXT NOT NULL PRIMARY KEY, report_id TEXT NOT NULL, slot TEXT NOT NULL, "
        "run_id TEXT NOT NULL DEFAULT '', holder TEXT NOT NULL DEFAULT '', token INTEGER NOT NULL DEFAULT '0', "
        "host TEXT NOT NULL DEFAULT '', lease_seconds FLOAT NOT NULL DEFAULT '0', lease_until FLOAT, "
        "published TEXT NOT NULL DEFAULT '')",
        "CREATE TABLE run_steps (number INTEGER NOT NULL PRIMARY KEY, run_id TEXT NOT NULL, state TEXT NOT NULL, "
        "at TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '')",
        "CREATE INDEX ix_run_steps_run_id ON run_steps (run_id)",
    ),
    4: (
        "CREATE TABLE scheduled_slots (report_id TEXT NOT NULL, rule_key TEXT NOT NULL, due_at TEXT NOT NULL, "
        "state TEXT NOT NULL, claimed_by TEXT NOT NULL DEFAULT '', claimed_at TEXT NOT NULL DEFAULT '', "
        "lease_until TEXT NOT NULL DEFAULT '', attempts INTEGER NOT NULL DEFAULT '0', "
        "run_id TEXT NOT NULL DEFAULT '', is_late INTEGER NOT NULL DEFAULT '0', note TEXT NOT NULL DEFAULT '', "
        "PRIMARY KEY (report_id, rule_key, due_at))",
        "CREATE INDEX scheduled_in_state ON scheduled_slots (state, due_at)",
    ),
    5: (
        "CREATE TABLE signoffs (number INTEGER NOT NULL PRIMARY KEY, run_id TEXT NOT NULL, report_id TEXT NOT NULL, "
        "compared_with TEXT NOT NULL, content TEXT NOT NULL, signed_by TEXT NOT NULL, signed_at TEXT NOT NULL, "
        "note TEXT NOT NULL)",
        "CREATE INDEX ix_signoffs_run_id ON signoffs (run_id)",
    ),
    6: (
        "CREATE TABLE release_steps (number INTEGER NOT NULL PRIMARY KEY, request_id TEXT NOT NULL, "
        "page TEXT NOT NULL, report_id TEXT NOT NULL, run_id TEXT NOT NULL, html_sha256 TEXT NOT NULL, "
        "profile TEXT NOT NULL, preset TEXT NOT NULL, action TEXT NOT NULL, account TEXT NOT NULL, at TEXT NOT NULL, "
        "reason TEXT NOT NULL DEFAULT '', content TEXT NOT NULL DEFAULT '{}')",
        "CREATE INDEX ix_release_steps_request_id ON release_steps (request_id)",
    ),
}
