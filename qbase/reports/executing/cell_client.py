"""The side of a run that waits for cells: nbclient with one deadline for the whole run and a limit of what is shown."""

from __future__ import annotations

import logging
import math
import time
from typing import Any

from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient

from qbase.reports.executing.execution_job import Job

START_SECONDS = 60
TIMES_LIMIT = 4
"""What a cell shows and clears again is no output in the end; only what is far above the limit ends a run early."""

ENVELOPE_BYTES = 100
"""What an output takes in the notebook beside what it shows, so that a flood of small ones ends too."""


class CellClient(PapermillNotebookClient):  # type: ignore[misc]
    """Runs the cells of a job, wherever they run."""

    def __init__(self, nb_man: Any, job: Job, **options: Any) -> None:
        deadline = time.monotonic() + job.seconds
        codes = [i for i, cell in enumerate(nb_man.nb.cells) if cell.cell_type == "code"]

        def remaining(cell: NotebookNode) -> int:
            return max(1, math.ceil(deadline - time.monotonic()))

        def begin(cell: NotebookNode, cell_index: int) -> None:
            job.running = cell_index
            job.on_cell(sum(i <= cell_index for i in codes), len(codes))

        super().__init__(
            nb_man,
            timeout_func=remaining,
            startup_timeout=START_SECONDS,
            # nbclient would give what a cell has shown four seconds to arrive, and call the rest a timeout of the cell
            iopub_timeout=job.seconds,
            shutdown_kernel="immediate",
            on_cell_execute=begin,
            log=logging.getLogger("papermill"),
            **options,
        )
        self.job = job

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> Any:
        """Count what is shown, and end a run that shows far more than it may."""
        self.job.shown += ENVELOPE_BYTES + _size(msg["content"])
        if self.job.output_mb and self.job.shown > TIMES_LIMIT * self.job.output_mb * 2**20:
            self.job.exceeded = True
            if self.task_poll_for_reply is not None:
                # nbclient takes this for a dead kernel, which it will be in a moment
                self.task_poll_for_reply.cancel()
        return super().process_message(msg, cell, cell_index)


def join_streams(notebook: NotebookNode) -> None:
    """Join outputs of one stream that follow each other in a cell: where they were parted was decided by the clock."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        joined: list[Any] = []
        for output in cell.outputs:
            if joined and output.output_type == "stream" == joined[-1].output_type and output.name == joined[-1].name:
                joined[-1].text += output.text
            else:
                joined.append(output)
        cell.outputs = joined


def _size(content: Any) -> int:
    if not isinstance(content, dict):
        return 0
    data = content.get("data")
    shown = sum(len(str(v)) for v in data.values()) if isinstance(data, dict) else 0
    return len(content.get("text") or "") + shown
