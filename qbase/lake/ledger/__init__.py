"""Deliveries, snapshots and runs in; rows of the SQLite ledger out, the only place where something becomes true."""
