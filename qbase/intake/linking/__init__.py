"""Printed names, codes and towns in; registered firms and one entry a batch out, every link in a diary."""
