"""Signals in one series: control charts whose verdict has a known false alarm, breaks with the doubt of their date."""
