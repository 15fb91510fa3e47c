"""Designs of indices: dated, with the source of their weights."""
