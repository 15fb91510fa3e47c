"""Cells of a drawn sample in; design-weighted rates with intervals, and checks of the drawing out."""
