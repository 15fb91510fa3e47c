"""Statistics in; p values by permutation, over many outcomes, over many looks, and what a test could find out."""
