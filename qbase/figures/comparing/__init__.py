"""Entities beside each other: a funnel, and ranks with their intervals."""
