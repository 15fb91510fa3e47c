"""Storey 10: words in, exit code out. Nothing heavy is imported before a command needs it."""
