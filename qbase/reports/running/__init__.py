"""Reports asked for in; published pages and recorded runs out, whole or not at all."""
