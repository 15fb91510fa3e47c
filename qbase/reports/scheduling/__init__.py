"""A schedule as it stands in a specification in; the instants at which a report is due out; no file, no clock."""
