"""The form of a report: typed fields with their help, a button that runs it, and what came of it."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

from qbase.core.errors import QbaseError
from qbase.core.markup import shown_language
from qbase.core.text import Text
from qbase.explore.viewing.form_fields import Field, form_values, read_form
from qbase.explore.widgets.shown_html import error_html, sentences_html
from qbase.explore.widgets.widget_kit import widgets
from qbase.lake import open_workspace
from qbase.reports import read_parameters, read_spec, run_report

if TYPE_CHECKING:
    from qbase.core.results.run_values import RunRecord
    from qbase.lake import Workspace

RUN, EMPTY = Text("运行", "Run"), Text("（空）", "(empty)")
RUNNING, PAGE = Text("正在运行…", "Running…"), Text("打开页面", "Open the page")
WIDE = "620px"


class ReportForm:
    """Widgets over the parameters of a report; ``record`` is the run it made last.

    Parameters
    ----------
    workspace : Workspace
        Where the report is.
    report_id : str
        File stem of the specification.
    """

    def __init__(self, workspace: Workspace, report_id: str) -> None:
        kit, lang = widgets(), shown_language()
        self.workspace, self.report_id = workspace, report_id
        self.spec = read_spec(workspace, report_id)
        self.record: RunRecord | None = None
        fields = read_form(workspace, report_id)
        self.first = {field.name: field.value for field in fields}
        self.inputs = {field.name: _input(kit, field) for field in fields}
        self.button = kit.Button(description=RUN[lang], button_style="primary")
        self.button.on_click(lambda _: self.run())
        self.told = kit.HTML()
        rows = [kit.VBox([self.inputs[field.name], kit.HTML(_help_html(field))]) for field in fields]
        heading = kit.HTML(f"<h3>{html.escape(self.spec.title[lang])}</h3>")
        self.box = kit.VBox([heading, *rows, self.button, self.told])

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.box._repr_mimebundle_(**options)

    def run(self) -> None:
        """Run the report with what is filled in; show its page and first sentence, or the four lines."""
        lang = shown_language()
        self.told.value = sentences_html([RUNNING])
        self.button.disabled = True
        try:
            self.record = run_report(self.workspace, self.report_id, self.values(), lang=lang)
            self.told.value = self._outcome_html(self.record)
        except QbaseError as error:
            self.told.value = error_html(error)
        finally:
            self.button.disabled = False

    def values(self) -> dict[str, Any]:
        """Return what was changed, typed and checked; the rest is left to specification and letter.

        Returns
        -------
        dict
            Name -> value.
        """
        parameters = read_parameters(self.workspace.root / self.spec.notebook, shown=self.spec.notebook)
        held = {name: control.value for name, control in self.inputs.items()}
        changed = {name: value for name, value in held.items() if value != self.first[name]}
        return form_values(parameters, changed, report_id=self.report_id, planned=self.spec.params)

    def _outcome_html(self, record: RunRecord) -> str:
        page = next(output for output in record.outputs if output.endswith(".html"))
        results = self.workspace.runs / record.report_id / record.run_id / "results.json"
        lang = shown_language()
        told = ""
        if results.is_file():
            found = json.loads(results.read_text(encoding="utf-8")).get("results", ())
            sentences = [Text(text["zh"], text["en"]) for result in found for text in result["sentences"][:1]]
            told = sentences_html(sentences[:1])
        # JupyterLab serves a file of the workspace below /files
        link = f'<a href="/files/{html.escape(page)}" target="_blank">{PAGE[lang]}</a> {html.escape(page)}'
        return f"{told}<p>{link}</p>"


def _input(kit: Any, field: Field) -> Any:
    common = {"description": field.name, "tooltip": field.hint, "layout": kit.Layout(width=WIDE)}
    common["style"] = {"description_width": "140px"}
    if field.kind == "choice":
        empty = EMPTY[shown_language()]
        options = [(empty if choice is None else str(choice), choice) for choice in field.choices]
        return kit.Dropdown(options=options, value=field.value, **common)
    if field.kind == "flag":
        return kit.Checkbox(value=field.value, **common)
    if field.kind in {"whole", "number"}:
        name = "Int" if field.kind == "whole" else "Float"
        if field.low is None or field.high is None:
            return getattr(kit, f"{name}Text")(value=field.value, **common)
        return getattr(kit, f"Bounded{name}Text")(value=field.value, min=field.low, max=field.high, **common)
    if field.kind == "suggested":
        return kit.Combobox(value=field.value, options=field.choices, ensure_option=False, **common)
    return kit.Text(value=field.value, **common)


def _help_html(field: Field) -> str:
    words = " · ".join(part for part in (field.help[shown_language()], field.hint) if part)
    return f'<small style="margin-left:148px">{html.escape(words)}</small>'


def open_form(report_id: str, workspace: Workspace | None = None) -> ReportForm:
    """Open the form of a report.

    Parameters
    ----------
    report_id : str
        File stem of the specification, ``quality_trends``.
    workspace : Workspace or None
        The one of `open_workspace` when None.

    Returns
    -------
    ReportForm
        Shown by JupyterLab as widgets.

    Raises
    ------
    SetupError
        ipywidgets is not installed (QB971), or there is no workspace (QB201).
    UsageError
        There is no such report (QB801).

    Examples
    --------
    >>> from qbase.explore import open_form
    >>> form = open_form("trends")
    >>> form.inputs["level"].value = 0.9
    >>> form.values()
    {'level': 0.9}
    """
    widgets()
    return ReportForm(workspace or open_workspace(), report_id)
