"""Commands about data: `demo`, `load`, `check`, `quarantine`, `links`, `policy`."""
