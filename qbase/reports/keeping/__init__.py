"""What runs left behind in; what is still of use out."""
