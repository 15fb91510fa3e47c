"""Placebo policies on the untreated history: what each design would find on these data, and what it would miss."""
