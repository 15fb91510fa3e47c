"""Coefficients and their covariance in; what is left of an effect when trends were not parallel out."""
