"""Places where a test may kill the process: ``$QBASE_FAULT`` names one, in the order they are passed.

``full:3`` stands for a disk that is full from the third place on.

Examples
--------
>>> from qbase.lake import FAULT_POINTS
>>> FAULT_POINTS[:3]
('raw_copied', 'raw_stored', 'lock_taken')
>>> from qbase.lake import RUN_FAULT_POINTS
>>> RUN_FAULT_POINTS[0], RUN_FAULT_POINTS[-1]
('run_folder_held', 'run_told')
"""

from __future__ import annotations

import errno
import itertools
import os

EXIT = 137
FAULT_POINTS = (
    "raw_copied",
    "raw_stored",
    "lock_taken",
    "orphans_undone",
    "rows_removed",
    "table_written",
    "tables_written",
    "ledger_begun",
    "ledger_filled",
    "ledger_committed",
)
RUN_FAULT_POINTS = (
    "run_folder_held",
    "leased_begun",
    "leased_written",
    "leased_committed",
    "running_begun",
    "running_written",
    "running_committed",
    "verifying_begun",
    "verifying_written",
    "verifying_committed",
    "page_staged",
    "publish_begun",
    "one_file_replaced",
    "files_replaced",
    "publish_written",
    "publish_committed",
    "run_told",
)
"""Those that a report passes on its way to being published."""

_FULL = "full:"
_passed = itertools.count(1)


def fault(point: str) -> None:
    """End the process at once, as a power cut would, when ``$QBASE_FAULT`` names this point.

    Raises
    ------
    OSError
        ``$QBASE_FAULT`` is ``full:n`` and this is the n-th place passed, or a later one.
    """
    wanted = os.environ.get("QBASE_FAULT", "")
    if wanted == point:
        os._exit(EXIT)
    if wanted.startswith(_FULL) and next(_passed) >= int(wanted.removeprefix(_FULL)):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), point)
