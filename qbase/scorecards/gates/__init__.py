"""Gates: one verdict per threshold, by one-sided exact limits, counts on lists, and the lead over the same product."""
