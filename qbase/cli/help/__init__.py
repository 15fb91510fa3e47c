"""Commands around the work: `doctor`, `explain`, `new`."""
