"""Grids with known columns in; one table of a contract out, every row accepted, listed or set aside with a reason."""
