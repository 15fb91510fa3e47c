"""The installed package itself: its version and its folder."""

from __future__ import annotations

import pathlib

VERSION = "0.1.0"
PACKAGE = pathlib.Path(__file__).resolve().parents[1]
"""Folder of the package; its parent is what a child process needs on its path."""
