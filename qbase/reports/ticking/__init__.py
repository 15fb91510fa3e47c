"""Schedules and a clock in; reports that were due run, each due time once, and what became of each out."""
