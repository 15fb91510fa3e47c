"""One notebook through papermill: checked injection, one of two engines, and what happened as values.

papermill's own verdict is never used: after a killed kernel it says "completed". What happened is
read from the exception and from the cells (`qbase.reports.executing.completeness`).
"""

from __future__ import annotations

import ast
import contextlib
import copy
import logging
import pathlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, cast

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.engines import papermill_engines
from papermill.execute import prepare_notebook_metadata, remove_error_markers
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from papermill.translators import PythonTranslator

from qbase.core.errors import UsageError
from qbase.reports.executing.execution_job import Job as Job
from qbase.reports.executing.papermill_entries import ForkEngine, KernelEngine
from qbase.reports.executing.run_environment import allowed_environment as allowed_environment


def execute(job: Job) -> None:
    """Execute the notebook of a job and fill in what is known of it.

    Parameters
    ----------
    job : Job
        Its fields ``executed``, ``running``, ``started`` and ``exception`` are filled in. Nothing is
        raised for what a cell or a kernel does.
    """
    check_injection(job.params)
    # named in the package's metadata too, for papermill's own command
    papermill_engines.register("qbase-kernel", KernelEngine)
    papermill_engines.register("qbase-fork", ForkEngine)
    with _log_to(job.folder / "log.txt"):
        try:
            _carry_out(job)
        except (CellTimeoutError, DeadKernelError, RuntimeError, OSError) as error:
            job.exception = error


def _carry_out(job: Job) -> None:
    """Do as papermill's ``execute_notebook``, which would write the notebook to nowhere, and judge it, at the end."""
    kernel = {"kernel_name": "python3", "language": "python"}
    engine = f"qbase-{job.engine}"
    notebook = load_notebook_node(job.notebook)
    if job.params:
        notebook = parameterize_notebook(notebook, job.params, engine_name=engine, **kernel)
    notebook = prepare_notebook_metadata(notebook, None, None)
    papermill_engines.execute_notebook_with_engine(
        engine, remove_error_markers(notebook), "python3", progress_bar=False, log_output=False, job=job
    )


def check_injection(params: Mapping[str, Any]) -> None:
    """Prove that the cell papermill will inject assigns exactly the given values, and does nothing else.

    Parameters
    ----------
    params : mapping
        Checked values by name.

    Raises
    ------
    ValueError
        The generated source would do anything else; never seen, and never to be run.
    """
    read: dict[str, Any] = {}
    for node in ast.parse(PythonTranslator.codify(dict(params))).body:
        if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
            raise ValueError(f"the injected cell would run {ast.unparse(node)}")
        read[node.targets[0].id] = ast.literal_eval(node.value)
    if read != dict(params) or repr(read) != repr(dict(params)):
        raise ValueError("the injected cell would assign other values than the ones checked")


@contextlib.contextmanager
def _log_to(path: pathlib.Path) -> Iterator[None]:
    """Send what papermill and nbclient log to a file; unhandled it would end up on the terminal."""
    logger = logging.getLogger("papermill")
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    before = logger.propagate, logger.level
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
        logger.propagate, logger.level = before


def as_notebook(document: Mapping[str, Any], *, shown: str = "notebook") -> NotebookNode:
    """Return a plain notebook document as nbformat's type, at its current minor version.

    Parameters
    ----------
    document : mapping
        As the file holds it.
    shown : str
        How messages name the file.

    Returns
    -------
    NotebookNode
        Cells without an id, or with the id of another, have one of their own.

    Raises
    ------
    UsageError
        The document breaks a rule of notebooks, such as a tag that stands twice (QB832).
    """
    try:
        node = nbformat.from_dict(copy.deepcopy(dict(document)))  # type: ignore[no-untyped-call]
        node = nbformat.v4.upgrade(node)  # type: ignore[no-untyped-call]
        with warnings.catch_warnings():
            # an id that is missing or stands twice is given anew, which is nothing to warn of
            warnings.simplefilter("ignore")
            _, node = nbformat.validator.normalize(node)
        nbformat.validate(node)
    except nbformat.ValidationError as error:
        place = list(getattr(error, "relative_path", ()))
        words = " ".join(str(error).split("\n", 1)[0].split())[:160]
        raise _broken(shown, words, place) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # nbformat walks through cells and outputs before it has looked at their shape
        raise _broken(shown, f"{type(error).__name__}: {error}", []) from error
    return cast(NotebookNode, node)


def _broken(shown: str, words: str, place: list[Any]) -> UsageError:
    at = [part for part in place if isinstance(part, int)]
    cell = f"cell {at[0] + 1} · " if place[:1] == ["cells"] and at else ""
    return UsageError(
        "QB832",
        notebook=shown,
        found=f"{cell}{'.'.join(str(p) for p in place[2:])}{': ' if place[2:] else ''}{words}",
        expected="a notebook as nbformat 4 describes it",
        fix=f"correct {shown}: {cell.removesuffix(' · ') or 'its JSON'}",
    )


def write_notebook(notebook: NotebookNode) -> str:
    """Return a notebook as the text of its file."""
    return str(nbformat.writes(notebook))  # type: ignore[no-untyped-call]
