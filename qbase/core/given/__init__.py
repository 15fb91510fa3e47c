"""What a caller hands over, checked where a value is built: words and numbers of options, ids of entities."""
