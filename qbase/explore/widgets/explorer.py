"""The explorer: widgets that choose a view, and show its figure, numbers, code and report."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from qbase.core.errors import QbaseError
from qbase.core.markup import shown_language
from qbase.core.panel import Panel
from qbase.core.text import Text
from qbase.explore.viewing.seen_view import Seen, estimate_view
from qbase.explore.viewing.view import View
from qbase.explore.viewing.view_choices import (
    ALL,
    ENTITIES,
    FREQS,
    METHODS,
    SAMPLINGS,
    Choice,
    list_measured,
    read_span,
)
from qbase.explore.viewing.view_code import write_view_code
from qbase.explore.viewing.view_report import write_view_report
from qbase.explore.widgets.shown_html import code_html, error_html, figure_html, sentences_html
from qbase.explore.widgets.widget_kit import options, widgets
from qbase.indicators import build_panel
from qbase.indicators.kept.kept_values import data_state
from qbase.indicators.whole_series import WholeSeries, open_series
from qbase.lake import open_workspace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qbase.lake import Workspace

NAMES = {
    "indicator": Text("指标", "Indicator"),
    "entity": Text("看谁", "Of whom"),
    "subject": Text("对象", "Subject"),
    "sampling": Text("抽样处理", "Draws"),
    "freq": Text("时间单位", "By"),
    "window": Text("时段", "Window"),
    "method": Text("方法", "Method"),
}
REPORT = Text("存成报告", "Make this a report")
NUMBERS, CODE = Text("数字", "Numbers"), Text("复制代码", "Copy as code")
RUN_IT = Text("已写好 {spec}，运行：qbase run {report}", "Wrote {spec}; run it: qbase run {report}")
RESET = {"entity": ("subject", "first", "last"), "freq": ("first", "last"), "indicator": ()}


class Explorer:
    """Widgets over one view; what is chosen last is ``view``, what it shows is ``seen``.

    Parameters
    ----------
    workspace : Workspace
        Whose data are looked at.
    view : View
        What is looked at first.
    """

    def __init__(self, workspace: Workspace, view: View) -> None:
        kit, lang = widgets(), shown_language()
        self.workspace, self.view = workspace, view
        self.seen: Seen | None = None
        self._whole: dict[tuple[str, str, str], Panel | WholeSeries] = {}
        self._state: list[object] = []
        self._measured: dict[tuple[str, str], tuple[Choice, ...]] = {}
        self._is_settling = False
        self.controls: dict[str, Any] = {
            "indicator": kit.Dropdown(),
            "entity": kit.ToggleButtons(),
            "subject": kit.Dropdown(),
            "sampling": kit.Dropdown(),
            "freq": kit.ToggleButtons(),
            "window": kit.SelectionRangeSlider(options=["–", "—"], continuous_update=False),
            "method": kit.ToggleButtons(),
        }
        for name, control in self.controls.items():
            control.description = NAMES[name][lang]
            control.layout.width = "auto"
            if isinstance(control, kit.ToggleButtons):
                control.style.button_width = "auto"
            control.observe(self._chosen(name), names="value")
        self.chart, self.told, self.numbers, self.code, self.message = (kit.HTML() for _ in range(5))
        self.report_id = kit.Text(placeholder="view_…")
        self.report_button = kit.Button(description=REPORT[lang])
        self.report_button.on_click(lambda _: self.make_report())
        folded = kit.Accordion(children=[self.numbers, self.code], titles=(NUMBERS[lang], CODE[lang]))
        report = kit.HBox([self.report_id, self.report_button])
        self.box = kit.VBox([*self.controls.values(), self.chart, self.told, folded, report, self.message])
        self._settle()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.box._repr_mimebundle_(**options)

    def choose(self, **changes: Any) -> Explorer:
        """Look elsewhere, as the widgets do; what is not named stays.

        Parameters
        ----------
        **changes
            Fields of `View`.
        """
        self.view = dataclasses.replace(self.view, **changes)
        self._settle()
        return self

    def make_report(self) -> None:
        """Write the specification of the view, or say why there can be none."""
        try:
            path = write_view_report(self.workspace, self.view, report_id=self.report_id.value)
        except QbaseError as error:
            self.message.value = error_html(error)
            return
        told = RUN_IT.format(spec=self.workspace.relative(path), report=path.stem)
        self.message.value = sentences_html([told])

    def _chosen(self, name: str) -> Any:
        def take(change: Mapping[str, Any]) -> None:
            if self._is_settling:
                return
            if name == "window":
                self.choose(first=change["new"][0], last=change["new"][1])
            else:
                self.choose(**{name: change["new"]}, **dict.fromkeys(RESET.get(name, ())))

        return take

    def _settle(self) -> None:
        """Let every control offer what the view allows and show what it holds, then draw."""
        self._is_settling = True
        try:
            self._forget()
            self._offer()
            whole = self._look()
            series = None if isinstance(whole, Panel) else whole
            self.seen = estimate_view(self.workspace, self.view, series=series)
            self.chart.value = figure_html(self.seen.figure) if self.seen.figure else ""
            self.told.value = sentences_html(self.seen.sentences)
            self.numbers.value = self.seen.figure.table.lab()["text/html"] if self.seen.figure else ""
            self.message.value = ""
        except QbaseError as error:
            self.seen = None
            self.chart.value, self.told.value, self.numbers.value = error_html(error), "", ""
        finally:
            self._is_settling = False
        self.code.value = code_html(write_view_code(self.view))

    def _offer(self) -> None:
        words: tuple[tuple[str, Sequence[Choice]], ...] = (
            ("indicator", self._indicators()),
            ("entity", ENTITIES),
            ("sampling", SAMPLINGS),
            ("freq", FREQS),
            ("method", METHODS),
        )
        for name, choices in words:
            _set(self.controls[name], options(choices), getattr(self.view, name))
        whole = self._look()
        span = read_span(whole if isinstance(whole, Panel) else whole.panel)
        subjects = [*options([(ALL, "")]), *options(span.subjects)]
        _set(self.controls["subject"], [(label, value or None) for label, value in subjects], self.view.subject)
        first, last = self.view.first or span.periods[0], self.view.last or span.periods[-1]
        if {first, last} <= set(span.periods):
            _set(self.controls["window"], span.periods, (first, last))

    def _look(self) -> Panel | WholeSeries:
        """Return the panel over the whole time, which knows whom and when one can choose; cut from where it can be."""
        view = self.view
        asked = (view.indicator, view.entity, view.freq)
        if asked not in self._whole:
            series = open_series(self.workspace, view.indicator, entity=view.entity, freq=view.freq)
            self._whole[asked] = series or build_panel(
                self.workspace, view.indicator, entity=view.entity, freq=view.freq
            )
        return self._whole[asked]

    def _forget(self) -> None:
        """Look anew at everything once something was loaded, refused or undone."""
        state = data_state(self.workspace, self.workspace.snapshot())
        if state != self._state:
            self._state = state
            self._whole.clear()
            self._measured.clear()

    def _indicators(self) -> tuple[Choice, ...]:
        asked = (self.view.entity, self.view.freq)
        if asked not in self._measured:
            self._measured[asked] = list_measured(self.workspace, self.view)
        return self._measured[asked]


def _set(control: Any, choices: Sequence[Any], value: Any) -> None:
    """Give a control its choices where they changed, then its value."""
    if tuple(control.options) != tuple(choices):
        control.options = tuple(choices)
    if control.value != value:
        control.value = value


def open_explorer(workspace: Workspace | None = None, view: View | None = None) -> Explorer:
    """Open the explorer over a workspace.

    Parameters
    ----------
    workspace : Workspace or None
        The one of `open_workspace` when None.
    view : View or None
        What is looked at first.

    Returns
    -------
    Explorer
        Shown by JupyterLab as widgets; ``view`` and ``seen`` follow what is chosen.

    Raises
    ------
    SetupError
        ipywidgets is not installed (QB971), or there is no workspace (QB201).

    Examples
    --------
    >>> from qbase.explore import View, open_explorer
    >>> explorer = open_explorer(view=View(subject="K001", first="2024Q1", last="2025Q4"))
    >>> explorer.seen.figure
    <Figure trend:D1.batch:K001>
    >>> explorer.controls["subject"].value = "K003"
    >>> explorer.view.subject, explorer.seen.figure
    ('K003', <Figure trend:D1.batch:K003>)
    """
    widgets()
    return Explorer(workspace or open_workspace(), view or View())
