"""A result or scorecard in; a table out with every cell written."""
