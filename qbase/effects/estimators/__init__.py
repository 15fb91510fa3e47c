"""Panel and policy in, a `Result` out: one estimator a file."""
