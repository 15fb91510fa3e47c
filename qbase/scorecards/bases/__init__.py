"""Bases: which clusters pass every required gate, what binds each of the others, and whom to cultivate next."""
