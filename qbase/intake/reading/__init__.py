"""A file in; grids of raw text out, nothing interpreted, a hostile workbook opened in a child process."""
