"""A verified page in; the same page as PDF, Word, workbook or Markdown out, in one language."""
