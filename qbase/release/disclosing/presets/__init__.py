"""Sets of rules of disclosure control, each with its source; one TOML file per preset."""
