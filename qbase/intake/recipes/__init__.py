"""How a source writes a table: TOML in, a checked recipe out, and questions where a recipe cannot know."""
