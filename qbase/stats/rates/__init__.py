"""Passes of tests in; intervals, differences, shrunk rates and small-area estimates out."""
