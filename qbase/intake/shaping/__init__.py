"""Grids with known columns in; one table of a contract out, reshaped by its recipe, every row with its verdict."""
