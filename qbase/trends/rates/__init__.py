"""Levels, changes and trends of a rate."""
