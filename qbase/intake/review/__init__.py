"""Loaded tables in; what a person should look at out: faults of a delivery, shifts, rows set aside."""
