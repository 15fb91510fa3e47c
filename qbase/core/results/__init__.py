"""Estimates in; results, scorecards, their sentences in Chinese and English, and the record of a run out."""
