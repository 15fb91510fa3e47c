"""Cells of a drawn sample in; random-draw or post-stratified rates, with checks of the drawing, out."""
