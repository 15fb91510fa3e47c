"""Finding problems against measuring: what the same budget brings of each."""
