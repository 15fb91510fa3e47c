"""Loaded by the fork server before its first fork; loading it is the work."""

from __future__ import annotations

from qbase.reports.executing.cell_kernel import prepare_kernel
from qbase.reports.executing.fork_template import freeze_template, load_template
from qbase.reports.running.warm_up import warm_up

load_template()
warm_up()
prepare_kernel()
freeze_template()
