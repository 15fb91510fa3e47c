"""A list of firms, a plan and a seed nobody could choose in; the firms to visit out."""
