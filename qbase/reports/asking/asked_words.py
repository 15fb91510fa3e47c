"""What was asked of a letter, in words: the help of its parameters and the names of their values."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qbase.core.shown.english_names import name_text
from qbase.core.text import Text
from qbase.reports.asking.letter_parameters import TAG, Parameter, parse_source

if TYPE_CHECKING:
    from nbformat import NotebookNode

VALUES: Mapping[str, Text] = {
    "naive": Text("未加权", "unweighted"),
    "random_draw": Text("双随机加权", "weighted random draws"),
    "post_stratified": Text("事后分层", "post-stratified"),
    "prediction_powered": Text("定向预测、双随机校正", "directed draws corrected by random ones"),
    "cluster_id": Text("产业集群", "industrial clusters"),
    "firm_id": Text("企业", "firms"),
    "town_code": Text("乡镇", "towns"),
    "internal": Text("内部资料", "internal"),
    "external": Text("对外发布", "for release"),
    "statutory_public": Text("依法公开", "statutory publication"),
}
"""Words for values that a list of choices allows; a value without words stands as it is."""
EMPTY = Text("（空）", "(empty)")
EVERYBODY = Text("全部", "all")
"""What an empty subject is."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """One parameter of a run as the page shows it.

    Parameters
    ----------
    name, written : str
        As the command line takes them.
    label, value : Text
        In words: the first clause of the parameter's help, and its value.
    is_empty, is_default : bool
        Whether it was left empty, or has the value that the letter itself gives.
    """

    name: str
    written: str
    label: Text
    value: Text
    is_empty: bool
    is_default: bool

    @property
    def said(self) -> Text:
        """Label and value: 抽样处理：事后分层 / treatment of draws: post-stratified."""
        return Text(f"{self.label.zh}：{self.value.zh}", f"{self.label.en}: {self.value.en}")


def read_asked(
    notebook: NotebookNode, params: Mapping[str, Any], names: Mapping[str, Text] | None = None
) -> tuple[Asked, ...]:
    """Return the parameters of a run in words.

    Parameters
    ----------
    notebook : NotebookNode
        With its cell tagged ``parameters``; without one names stand for words.
    params : mapping
        Values by name.
    names : mapping, optional
        What to say for a value, by the name of its parameter: the name of a subject.

    Returns
    -------
    tuple of Asked
        In the order of ``params``.
    """
    declared = {p.name: p for p in _declared(notebook)}
    names = names or {}
    return tuple(ask(name, value, declared.get(name), names.get(name)) for name, value in params.items())


def _declared(notebook: NotebookNode) -> tuple[Parameter, ...]:
    cell = next((c for c in notebook.cells if TAG in c.metadata.get("tags", ())), None)
    return parse_source(cell.source, shown="parameters") if cell is not None else ()


def ask(name: str, value: Any, parameter: Parameter | None, said: Text | None = None) -> Asked:
    """Put one parameter and its value into words; without a declaration its name stands for them."""
    help_ = parameter.help if parameter is not None else Text("", "")
    label = Text(*(part.split(mark)[0].strip() or name for part, mark in ((help_.zh, "；"), (help_.en, ";"))))
    words = said or name_text(written(value))
    if isinstance(value, str) and parameter is not None and parameter.choices:
        words = VALUES.get(value, words)
    is_empty = value is None or value == ""
    return Asked(
        name=name,
        written=written(value),
        label=label,
        value=(EVERYBODY if name == "subject" else EMPTY) if is_empty else words,
        is_empty=is_empty,
        is_default=parameter is not None and value == parameter.default,
    )


def written(value: Any) -> str:
    """Return a value as the command line takes it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
