"""Counts of one file in; what happened to it out, in numbers, reasons and the day it was loaded."""
