"""Panel and policy in; a `Result` out: the classical comparisons, beside the estimators that replace them."""
