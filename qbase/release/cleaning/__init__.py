"""HTML and SVG in; the same without anything that could act out."""
