"""A fitted comparison in; checks, settings and the agreement with published numbers out."""
