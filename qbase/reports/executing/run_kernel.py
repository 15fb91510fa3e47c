"""The kernel of a run: ipykernel that dies with its runner, within its memory limit, seeded.

Started as ``python -P -m qbase.reports.executing.run_kernel -f FILE``; never imported by the rest of the house.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from typing import Any

from qbase.reports.executing.run_environment import watch_threads

PR_SET_PDEATHSIG = 1
NO_SUCH_RUNNER = 70
ITSELF = "qbase.reports.executing.run_kernel"


def die_with_parent(parent: int) -> None:
    """Ask the operating system to kill this process when its runner, of this process id, dies (Linux).

    ipykernel looks at its parent once a second from a Python thread; a cell that holds the
    interpreter lock would keep it from ever looking.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # the runner may have died before the request above was made
    if os.getppid() != parent:
        os._exit(NO_SUCH_RUNNER)


def limit_memory(megabytes: int, held: int = 0) -> None:
    """Cap private writable memory; a blow-up ends as MemoryError in its cell.

    A fork begins with the ``held`` megabytes of the process it comes from, which are not its own.

    The address space is left alone: Arrow and DuckDB reserve far more of it than they use.
    """
    if os.name != "posix" or megabytes <= 0:
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = (megabytes + held) * 2**20
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def write_no_core() -> None:
    """Let a crash leave no image of its memory on the disk: it would hold the rows of firms."""
    if os.name == "posix":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def seed_everything(seed: int) -> None:
    """Seed the global generators, so that a bootstrap inside a plot draws the same twice."""
    import numpy as np

    random.seed(seed)
    np.random.seed(seed)


def seed_first_cell(seed: int) -> None:
    """Seed the global generators when the first cell begins; the kernel draws from them while it starts."""
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()

    def seed_now(info: object) -> None:
        shell.events.unregister("pre_run_cell", seed_now)
        seed_everything(seed)

    shell.events.register("pre_run_cell", seed_now)


def main() -> None:
    """Prepare the process, then hand over to ipykernel."""
    # set by jupyter_client
    die_with_parent(int(os.environ["JPY_PARENT_PID"]))
    limit_memory(int(os.environ.get("QBASE_MEMORY_MB", "0")))
    write_no_core()
    watch_threads()
    import zmq
    from ipykernel.kernelapp import IPKernelApp

    class Application(IPKernelApp):
        """ipykernel's application, which forgets no output where its reader is slow."""

        def init_iopub(self, context: Any) -> None:
            # a publishing socket drops what comes after a thousand messages that were not read yet
            context.setsockopt(zmq.SNDHWM, 0)
            super().init_iopub(context)  # type: ignore[no-untyped-call]

    seed = int(os.environ.get("QBASE_SEED", "0"))
    Application.launch_instance(
        exec_lines=[f"__import__('importlib').import_module({ITSELF!r}).seed_first_cell({seed})"]
    )


if __name__ == "__main__":
    main()
