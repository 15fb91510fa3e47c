"""How a source writes a table: one TOML file per source. A contract is its own recipe for tidy files."""
