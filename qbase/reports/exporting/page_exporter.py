"""The entry "Qbase" in JupyterLab's menu Save and Export Notebook As: a server-side exporter of nbconvert.

What stands in an open notebook was run by hand: in any order, and without a record. So the exporter shows none of it.
It runs the saved notebook through the normal runner, with the values of its own parameters cell, and hands over the
page of that run once it has been verified again.
"""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Any

from nbconvert.exporters import Exporter

from qbase.core.errors import QbaseError, RunError, UsageError
from qbase.core.markup import shown_language

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from qbase.core.results.run_values import ReportSpec
    from qbase.lake import Workspace


class PageExporter(Exporter):
    """Export a notebook as the page of a run of it.

    Examples
    --------
    >>> from nbconvert.exporters import get_exporter
    >>> get_exporter("qbase").__name__
    'PageExporter'
    """

    export_from_notebook = "qbase"
    output_mimetype = "text/html"
    file_extension = ".html"

    def from_notebook_node(
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **_: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Run the notebook that is stored under the name in ``resources`` and return its page.

        Parameters
        ----------
        nb : NotebookNode
            As it is shown; not read, the saved file is what is run.
        resources : dict
            With ``metadata.path`` and ``metadata.name``, as jupyter-server and ``jupyter nbconvert`` fill them in.

        Raises
        ------
        ExportError
            What `export_notebook` raises, as four lines.
        """
        told = dict(resources or {})
        place = told.get("metadata", {})
        notebook = pathlib.Path(place.get("path") or ".").resolve() / f"{place.get('name', '')}.ipynb"
        try:
            page = export_notebook(notebook)
        except QbaseError as error:
            raise ExportError(f"\n{error.render(shown_language())}\n") from None
        told["output_extension"] = self.file_extension
        return page, told


class ExportError(Exception):
    """What JupyterLab shows where there is no page: four lines."""


def export_notebook(notebook: pathlib.Path) -> str:
    """Run a notebook of a workspace with the values of its own parameters cell and return the verified page.

    Parameters
    ----------
    notebook : Path
        Saved below a workspace; a specification names it.

    Returns
    -------
    str
        HTML, as it was published.

    Raises
    ------
    SetupError
        The notebook lies in no workspace (QB201).
    UsageError
        No report is made of it (QB887), or its parameters do not hold (QB801-QB809).
    DataError, RunError
        The run came to no good end, or the page does not agree with its record (QB888).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports.exporting.page_exporter import export_notebook
    >>> export_notebook(open_workspace().notebooks / "missing.ipynb")
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB887] no report is made of the notebook notebooks/missing.ipynb
      found     notebooks/missing.ipynb
      expected  notebooks/effects.ipynb · notebooks/trends.ipynb
      to fix    write reports/specs/missing.toml with notebook = "notebooks/missing.ipynb", title_zh and title_en
    """
    from qbase.reports.asking.letter_parameters import read_parameters
    from qbase.reports.running.whole_run import run_report

    workspace = _workspace_of(notebook)
    specs = _find_specs(workspace, notebook)
    parameters = read_parameters(notebook, shown=workspace.relative(notebook))
    chosen = {p.name: p.default for p in parameters if not p.required}
    # of several reports the one that is asked most nearly what the notebook asks
    spec = min(specs, key=lambda s: sum(chosen.get(name) != value for name, value in s.params.items()))
    record = run_report(workspace, spec.report_id, chosen, lang=shown_language())
    (page,) = (workspace.root / output for output in record.outputs if output.endswith(".html"))
    _verify(workspace, page)
    return page.read_text(encoding="utf-8")


def _workspace_of(notebook: pathlib.Path) -> Workspace:
    from qbase.lake import open_workspace

    above = (folder for folder in notebook.parents if (folder / "reports" / "specs").is_dir())
    return open_workspace(next(above, notebook.parent))


def _find_specs(workspace: Workspace, notebook: pathlib.Path) -> list[ReportSpec]:
    from qbase.reports.asking.report_spec import list_specs

    shown, specs = workspace.relative(notebook), list_specs(workspace)
    found = [spec for spec in specs if spec.notebook == shown]
    if not found:
        wanted = f"{workspace.relative(workspace.specs)}/{notebook.stem}.toml"
        raise UsageError(
            "QB887",
            notebook=shown,
            found=shown,
            expected=" · ".join(dict.fromkeys(spec.notebook for spec in specs)) or "a notebook with a specification",
            fix=f'write {wanted} with notebook = "{shown}", title_zh and title_en',
        )
    return found


def _verify(workspace: Workspace, page: pathlib.Path) -> None:
    from qbase.release import verify_report
    from qbase.reports.running.published_pages import read_recorded

    found = read_recorded(workspace, page)
    outcome = verify_report(page, record=found.record, written=found.written)
    if not outcome.passed:
        wrong = outcome.failed or outcome.unproven
        raise RunError(
            "QB888",
            page=workspace.relative(page),
            found="; ".join(check.text.en for check in wrong),
            expected="every check of qbase verify passed",
            fix=f"qbase verify {workspace.relative(page)}",
        )
