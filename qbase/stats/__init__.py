"""Storey 1: arrays of counts and weights in; intervals, shrunk rates, small-area estimates and tests out."""
