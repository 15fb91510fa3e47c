"""A comparison in; coefficients, covariance and bands out, nothing in words."""
