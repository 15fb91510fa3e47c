"""Dated targets, one TOML file per source."""
