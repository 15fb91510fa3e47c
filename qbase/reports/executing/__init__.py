"""A request in; an executed letter with the proof that it is complete out."""
