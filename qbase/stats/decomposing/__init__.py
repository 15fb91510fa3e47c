"""What a change of a rate is made of, and what those who measure add to it."""
