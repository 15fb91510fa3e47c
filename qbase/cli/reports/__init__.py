"""Commands about reports: `list`, `inspect`, `run`, `runs`, `prune`, `verify`."""
