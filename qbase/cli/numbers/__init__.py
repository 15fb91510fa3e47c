"""Commands about numbers: `indicators`, `panel`."""
