"""The contracts themselves, one TOML file a table."""
