"""Real cases, one TOML file each: where the data ship, what they measure, what was published."""
