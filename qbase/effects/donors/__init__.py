"""Weights on those not treated: a comparison built for one treated cluster, and how unusual its gap is."""
