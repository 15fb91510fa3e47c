"""A definition of the catalogue in; its value by entity and period out."""
