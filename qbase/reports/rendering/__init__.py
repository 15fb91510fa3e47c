"""An executed letter in; one HTML page, and the gallery of all pages, out."""
