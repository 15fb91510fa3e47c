"""What keeps a workspace in order: ledger and files held against each other, what dead runs left, a trial run."""
