"""What a change of a rate is made of: who was inspected, and by whom."""
