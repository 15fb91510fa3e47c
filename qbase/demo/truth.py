"""What is true in the fictional province; only the demo itself and tests may look."""
