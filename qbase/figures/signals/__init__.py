"""Control charts, charts with a memory and breaks, drawn from results."""
