"""A comparison in; coefficients, standard errors and bands out, nothing in words."""
