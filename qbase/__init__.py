"""qbase: a workbench for the quality of industrial clusters and the policies that try to raise it."""

__version__ = "0.1.0"
