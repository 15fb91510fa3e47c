"""A run held against others: the edition before, two runs of one's choice, and what moved for a person to sign off."""
