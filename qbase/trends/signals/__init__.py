"""Signals in one series: control charts whose verdict has a known false alarm, and breaks with the doubt of their date."""
