"""Loaded by the fork server before its first fork; loading it is the work."""

from __future__ import annotations

from qbase.reports.executing.fork_template import load_template

load_template()
