"""Templates of letters, one TOML file each."""
