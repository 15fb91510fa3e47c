"""Grid and estimator in; what speaks against an effect, one check a question, out."""
