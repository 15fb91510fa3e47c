"""The account of a load as a value: the report of one file in numbers, its reasons in words, the day of loading."""
