"""Pixels, roles and texts in; SVG in two languages and two widths out."""
