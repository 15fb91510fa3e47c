"""What rates are made of: counts by period, firms and entity, and whether they may be compared."""
