"""What a quarter allows to say, decided by stated rules from its results."""
