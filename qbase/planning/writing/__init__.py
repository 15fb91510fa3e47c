"""Files of a plan: the list of firms for those who visit them, and the plan as it was signed off."""
