"""Loaded tables in; what a person should look at out: faults, shifts since last time, rows set aside, to read again."""
