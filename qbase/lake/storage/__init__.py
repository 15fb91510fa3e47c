"""Bytes and tables on disk: raw files as received, Delta tables, locks, and the snapshots that name their versions."""
