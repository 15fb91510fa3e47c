"""Values in; what may leave the house, and which words never may, out."""
