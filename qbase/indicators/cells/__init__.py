"""Inspections of a snapshot in; counts by firm, period, stratum and way of drawing out."""
