"""A specification, a letter (notebook) and given parameters in; a checked request out."""
