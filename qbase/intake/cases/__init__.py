"""Real data that ship with a package: a description in, a delivery like any other out."""
