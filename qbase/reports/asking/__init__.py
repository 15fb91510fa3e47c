"""A specification, a letter and given parameters in; a checked request out."""
