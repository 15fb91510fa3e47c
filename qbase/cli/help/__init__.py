"""Commands that help: `doctor`, `explain`, `new`."""
