"""Commands about reports: `list`, `inspect`, `run`, `runs`, `verify`."""
