"""A composite index by the steps of the OECD/JRC handbook, and how far its ranks can be trusted."""
