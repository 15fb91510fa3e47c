"""Doses of instruments and safeguards beside outcomes: a ledger, never an effect."""
