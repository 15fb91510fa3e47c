"""Inspections and the dates of their results in; which quarters are still open, and what may be said of them, out."""
