"""Series of counts or scores in; control limits, signals and run lengths out."""
