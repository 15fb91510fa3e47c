"""What a letter (a notebook that becomes a report) shows: bundles of prose, tables, figures; colours, fonts, words."""
