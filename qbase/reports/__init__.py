"""Storey 8: specification -> run -> page -> gallery. Knows notebooks by path, nothing of the rooms behind.

Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_names

if TYPE_CHECKING:
    from qbase.reports.arguments import check_params, read_words
    from qbase.reports.batch import Job, Outcome, run_many
    from qbase.reports.gallery import build_gallery
    from qbase.reports.ledger import close_dead_runs, read_meta
    from qbase.reports.parameters import Parameter, read_parameters
    from qbase.reports.render import render_report, report_meta
    from qbase.reports.running import run_report
    from qbase.reports.spec import find_specs, list_specs, read_spec

__getattr__ = lazy_names(
    __name__,
    {
        "arguments": ("check_params", "read_words"),
        "batch": ("Job", "Outcome", "run_many"),
        "gallery": ("build_gallery",),
        "ledger": ("close_dead_runs", "read_meta"),
        "parameters": ("Parameter", "read_parameters"),
        "render": ("render_report", "report_meta"),
        "running": ("run_report",),
        "spec": ("find_specs", "list_specs", "read_spec"),
    },
)

__all__ = [
    "Job", "Outcome", "Parameter", "build_gallery", "check_params", "close_dead_runs", "find_specs", "list_specs",
    "read_meta", "read_parameters", "read_spec", "read_words", "render_report", "report_meta", "run_many",
    "run_report",
]  # fmt: skip
