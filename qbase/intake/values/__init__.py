"""The text of a cell in; a date, number, unit or code in one spelling out, or why it cannot be read."""
