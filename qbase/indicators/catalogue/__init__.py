"""The policy text and its indicators: TOML in; definitions and clauses out, and which SQL measures them."""
