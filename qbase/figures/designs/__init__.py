"""A result of a design in; its power, its assumptions or its comparison as a figure out."""
