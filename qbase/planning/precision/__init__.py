"""A target and a chance of keeping it in; firms and batches out."""
