"""A finished page and the record of its run in; ten checks out."""
