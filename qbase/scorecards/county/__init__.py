"""What a county report on product quality holds: a place, rates by group, red and black lists, cases, proposals."""
