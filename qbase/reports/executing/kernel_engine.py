"""The engine ``qbase-kernel``: a private kernel per run, of this Python, with no port on the network and no orphan."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
from typing import Any

import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbformat import NotebookNode

from qbase.reports.executing.cell_client import CellClient, join_streams
from qbase.reports.executing.execution_job import Job
from qbase.reports.executing.run_environment import (
    FILE,
    THREAD_LOG,
    allowed_environment,
    end_group,
    end_leftovers,
    read_thread_errors,
)

# a Unix socket's path holds 107 bytes, and jupyter appends to ours
SOCKET_PATH = 80


class _OneKernel(KernelSpecManager):
    """Knows one kernel: the Python that runs this process, whatever the user has installed elsewhere."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-P", "-m", "qbase.reports.executing.run_kernel", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name=kernel_name, language="python")


def run_in_kernel(nb_man: Any, kernel_name: str, job: Job) -> None:
    """Run the cells of a managed notebook in a kernel of its own."""

    def ready(notebook: NotebookNode) -> None:
        job.started = True
        job.group = client.km.provisioner.pgid

    context = zmq.asyncio.Context()
    # nothing is dropped where this side reads slower than the kernel shows
    context.setsockopt(zmq.RCVHWM, 0)
    client = CellClient(nb_man, job, kernel_name=kernel_name, on_notebook_start=ready)
    with tempfile.TemporaryDirectory(prefix="qb-", ignore_cleanup_errors=True) as scratch:
        manager = client.create_kernel_manager()
        manager.kernel_spec_manager = _OneKernel()
        manager.log = client.log
        if os.name == "posix" and len(scratch) < SOCKET_PATH:
            # no port to race for and nothing on the network
            manager.transport = "ipc"
        manager.client = functools.partial(manager.client, context=context)
        manager.connection_file = os.path.join(scratch, "k.json")
        own = {"IPYTHONDIR": scratch, THREAD_LOG: str(job.folder / FILE)}
        environment = allowed_environment(job.environment) | own
        try:
            with (job.folder / "log.txt").open("ab") as log:
                client.execute(env=environment, cwd=str(job.root), stdout=log, stderr=log)
        finally:
            context.destroy(linger=0)
            end_group(job.group)
            end_leftovers(job.environment.get("QBASE_RUN_ID", ""))
            join_streams(nb_man.nb)
            job.executed = nb_man.nb
            job.thread_errors = read_thread_errors(job.folder)
