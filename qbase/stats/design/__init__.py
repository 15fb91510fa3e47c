"""Draws of a sampling design in; weights, design-based intervals and tests of the drawing out."""
