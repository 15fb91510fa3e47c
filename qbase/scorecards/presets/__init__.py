"""Dated targets, one TOML file per source, and how they are read, inherited and compared."""
