"""The catalogue of error codes, one file per storey."""
