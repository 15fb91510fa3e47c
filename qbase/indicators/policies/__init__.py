"""A snapshot or a town's own TOML file in; a checked policy, or a published case, out."""
