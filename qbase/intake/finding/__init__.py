"""A grid of raw text in; where its header is, what each column means, and which rows are data out."""
