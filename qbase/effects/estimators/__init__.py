"""Panel and policy in; a `Result` out: what users call, one estimator a file."""
