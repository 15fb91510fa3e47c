"""Clean tables in; files out as offices send them: tidy, messy, or with faults planted on purpose."""
