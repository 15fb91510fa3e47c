"""The province as it really is in; its clean tables out, as if every office wrote without fault."""
