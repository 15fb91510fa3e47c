"""The policy text and its indicators: TOML in, definitions, clauses and their SQL out."""
