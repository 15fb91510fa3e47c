"""What leaves the house: checked by rules, seen by a second person, shared as files that need no server."""
