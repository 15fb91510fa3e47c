"""A sign of life while a run goes on: a thread of the runner renews its claim, whatever its cells do.

The thread begins in the runner, after every fork: the process that runs are forked from keeps its single thread.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from qbase.core.errors import QbaseError
from qbase.lake import renew_claim

if TYPE_CHECKING:
    from qbase.lake import Claim, Workspace

BEATS = 3
"""In the time of one lease: a beat may be missed, or wait for the ledger, without the slot being lost."""


class Heartbeat:
    """Renews a claim while its block runs; ends when the claim was taken over, which publishing finds out for itself.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    claim : Claim
        Of the slot of the run.
    """

    def __init__(self, workspace: Workspace, claim: Claim) -> None:
        self.workspace, self.claim = workspace, claim
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="qbase-heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._ended.set()
        # one that waits for a busy ledger is not waited for: the claim is gone, and it will find that out
        self._thread.join(timeout=1)

    def _beat(self) -> None:
        while not self._ended.wait(self.claim.lease_seconds / BEATS):
            try:
                if not renew_claim(self.workspace, self.claim):
                    return
            except QbaseError:
                # a ledger that is busy now is asked again at the next beat
                continue
