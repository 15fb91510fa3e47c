"""The engines under the names papermill knows, made when they are asked for.

papermill loads all engines while it is loaded itself. A module that imports papermill at its top may be half loaded
then; this one imports nothing of it, so that either side may come first.
"""

from __future__ import annotations

import functools
from typing import Any


def __getattr__(name: str) -> Any:
    engines = _engines()
    if name not in engines:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return engines[name]


@functools.cache
def _engines() -> dict[str, Any]:
    from papermill.engines import Engine

    class KernelEngine(Engine):  # type: ignore[misc]
        """papermill's engine of this name; without a job of the house it runs the notebook papermill was given."""

        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, *, job: Any = None, **options: Any) -> None:
            """Run the cells; what is known of the run is in the job afterwards, also when this raises."""
            from qbase.reports.executing.kernel_engine import run_in_kernel

            _run(run_in_kernel, nb_man, kernel_name, job, options)

    class ForkEngine(Engine):  # type: ignore[misc]
        """papermill's engine of this name; without a job of the house it runs the notebook papermill was given."""

        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, *, job: Any = None, **options: Any) -> None:
            """Run the cells; what is known of the run is in the job afterwards, also when this raises."""
            from qbase.reports.executing.fork_engine import run_in_fork

            _run(run_in_fork, nb_man, kernel_name, job, options)

    return {"KernelEngine": KernelEngine, "ForkEngine": ForkEngine}


def _run(run: Any, nb_man: Any, kernel_name: str, job: Any, options: dict[str, Any]) -> None:
    from qbase.reports.executing.execution_job import plain_job

    if job is not None:
        run(nb_man, kernel_name, job)
        return
    with plain_job(nb_man.nb, options) as plain:
        run(nb_man, kernel_name, plain)
