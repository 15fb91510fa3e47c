"""The name of a measure in; its SQL out: `inspections` prepares the rows, each other file counts them."""
