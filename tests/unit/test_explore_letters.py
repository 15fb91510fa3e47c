"""The letters of the templates run on the demo as they are, and their pages pass verification."""

from __future__ import annotations

import pathlib

import pytest

from qbase.demo import write_deliveries
from qbase.explore import add_letter, list_templates
from qbase.intake import load_files
from qbase.lake import Workspace
from qbase.reports import Job, run_many


@pytest.mark.slow
def test_every_template_runs_on_the_demo(tmp_path: pathlib.Path) -> None:
    workspace = Workspace.create(tmp_path / "home")
    load_files(workspace, write_deliveries(workspace.raw / "demo", size="small"))
    for template in list_templates():
        add_letter(workspace, template)
    outcomes = run_many(workspace, [Job(report_id=name) for name in list_templates()], jobs_at_once=2)
    assert [(o.error and str(o.error), o.record and o.record.state) for o in outcomes] == [(None, "ok")] * 2
