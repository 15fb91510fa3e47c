"""Entities of one window beside each other: outside a funnel or not, apart from their peers, in which ranks."""
