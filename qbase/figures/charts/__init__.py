"""A result in; a figure out, one chart a file."""
