"""SQL of the measures: `inspections` prepares the rows, each other file counts them."""
