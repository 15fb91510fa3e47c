"""A view becomes a report: a specification that `qbase run` takes, of a letter the workspace has."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qbase.core.errors import UsageError
from qbase.core.text import Text
from qbase.core.whole_files import write_atomic
from qbase.explore.viewing.view import View
from qbase.explore.workspace_making import add_letter
from qbase.indicators import find_indicator
from qbase.reports import Parameter, check_params, find_specs, read_parameters

if TYPE_CHECKING:
    from qbase.lake import Workspace

LETTERS = ("20_quality_trends.ipynb", "trends.ipynb")
"""The first of these that can be asked carries the report; the last can be made from its template."""
CALLED = {"indicator": ("outcome", "indicator")}
"""How letters name a field of a view, where the name is another."""
POLICY = "policy_id"


def write_view_report(workspace: Workspace, view: View, *, report_id: str = "") -> pathlib.Path:
    """Write the specification of a report about a view.

    The report holds the view's estimate with the other questions of its letter. A workspace without a letter on
    trends gets the one of the template.

    Parameters
    ----------
    workspace : Workspace
        Where the specification goes.
    view : View
        What is looked at.
    report_id : str
        Name of the report; made from the view when empty.

    Returns
    -------
    Path
        The specification.

    Raises
    ------
    UsageError
        There is a report of that name (QB910), its name holds odd characters (QB912), or the letter cannot be asked
        for what the view asks (QB970, QB805, QB806).

    Examples
    --------
    >>> from qbase.explore import View, write_view_report
    >>> from qbase.lake import open_workspace
    >>> spec = write_view_report(open_workspace(), View(subject="K001", first="2022Q1"))
    >>> spec.name
    'view_D1_batch_K001.toml'
    >>> print(spec.read_text("utf-8").partition("[params]")[2].strip())
    indicator = "D1.batch"
    entity = "cluster_id"
    subject = "K001"
    first = "2022Q1"
    >>> spec.unlink()
    """
    name = report_id.strip() or _name(view)
    if not re.fullmatch(r"[^\W_][\w-]{0,79}", name):
        raise UsageError("QB912", name=name, found=name, expected="letters, digits, _ and -", fix=_name(view))
    if name in find_specs(workspace):
        shown = f"{workspace.relative(workspace.specs)}/{name}.toml"
        raise UsageError("QB910", name=shown, found=shown, expected="no file of this name", fix=f"{name}-2")
    notebook, params = _find_letter(workspace, view, name)
    path = workspace.specs / f"{name}.toml"
    write_atomic(path, _spec_text(workspace.relative(notebook), _title(view), params))
    return path


def view_params(view: View, parameters: tuple[Parameter, ...], *, report_id: str) -> dict[str, Any]:
    """Return what a letter has to be given so that it looks where a view looks.

    Parameters
    ----------
    view : View
        What is looked at.
    parameters : tuple of Parameter
        Of the letter.
    report_id : str
        For the messages.

    Returns
    -------
    dict
        Values by the letter's own names; those that are empty anyway are left out.

    Raises
    ------
    UsageError
        The letter has no parameter for a choice (QB970), or does not allow the value (QB805, QB806).

    Examples
    --------
    >>> from qbase.explore import View
    >>> from qbase.explore.viewing.view_report import view_params
    >>> from qbase.reports import Parameter
    >>> text = dict(base="str", optional=True)
    >>> letter = (Parameter(name="outcome", default="D1.firm", **text), Parameter(name="entity", **text))
    >>> view_params(View(), letter, report_id="mine")
    {'outcome': 'D1.batch', 'entity': 'cluster_id'}
    >>> view_params(View(subject="K001"), letter, report_id="mine")
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB970] the letter of report mine cannot be asked for subject
      found     subject = K001
      expected  outcome · entity
      to fix    choose subject as it is at first, or copy the code of the view into a letter of your own
    """
    declared = {p.name: p for p in parameters}
    plain, params = View(), {}
    for field in ("indicator", "entity", "subject", "sampling", "freq", "first", "last"):
        value = getattr(view, field)
        name = next((n for n in CALLED.get(field, (field,)) if n in declared), None)
        if name is not None:
            params[name] = value
        elif value != getattr(plain, field):
            raise _unasked(report_id, field, value, declared)
    if POLICY in declared and declared[POLICY].default is not None:
        # a view knows no policy, and the one a letter takes by default may not be entered here
        params[POLICY] = ""
    # TOML knows no null: what is left out takes the default of the letter
    stuck = next((n for n, v in params.items() if v is None and declared[n].default is not None), None)
    if stuck is not None:
        raise _unasked(report_id, stuck, None, declared)
    given = {n: v for n, v in params.items() if v is not None}
    check_params(parameters, given, report_id=report_id)
    return given


def _unasked(report_id: str, field: str, value: object, declared: Mapping[str, Parameter]) -> UsageError:
    return UsageError(
        "QB970",
        report=report_id,
        field=field,
        found=f"{field} = {value}",
        expected=" · ".join(declared),
        fix=f"choose {field} as it is at first, or copy the code of the view into a letter of your own",
    )


def _find_letter(workspace: Workspace, view: View, name: str) -> tuple[pathlib.Path, dict[str, Any]]:
    """Return the first letter that can be asked for a view, and what it is given; the template where none stands."""
    refused: UsageError | None = None
    for letter in LETTERS:
        notebook = workspace.notebooks / letter
        if not notebook.is_file():
            if letter != LETTERS[-1] or "trends" in find_specs(workspace):
                continue
            add_letter(workspace, "trends")
        try:
            return notebook, view_params(view, read_parameters(notebook), report_id=name)
        except UsageError as error:
            refused = refused or error
    raise refused or _unasked(name, "indicator", view.indicator, {})


def _name(view: View) -> str:
    parts = ["view", view.indicator, view.subject or "all", "" if view.freq == "Q" else view.freq]
    return re.sub(r"[^\w-]+", "_", "_".join(part for part in parts if part))[:80]


def _title(view: View) -> Text:
    indicator = find_indicator(view.indicator).indicator
    return indicator.name + Text("的走势", ": how it changes")


def _spec_text(notebook: str, title: Text, params: dict[str, Any]) -> str:
    def line(name: str, value: Any) -> str:
        return f"{name} = {json.dumps(value, ensure_ascii=False)}"

    head = [line("notebook", notebook), line("title_zh", title.zh), line("title_en", title.en)]
    head += [line("tables", ["inspections"]), line("may_use", ["*"]), line("profile", "internal")]
    return "\n".join([*head, "", "[params]", *(line(n, v) for n, v in params.items()), ""])
