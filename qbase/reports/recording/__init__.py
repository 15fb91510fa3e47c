"""What a run leaves for programs to read."""
