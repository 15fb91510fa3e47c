"""Estimates in; results, verdicts, their sentences and the record of a run out."""
