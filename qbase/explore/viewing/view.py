"""What the explorer looks at: indicator, draws, whom, when and by which method, as one frozen value."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, get_args

from qbase.core.given import check_word
from qbase.core.panel import FREQ_NAMES, Sampling
from qbase.core.periods import Freq
from qbase.core.text import Text
from qbase.indicators.cells.window_sql import Entity

Method = Literal["level", "change", "trend", "control", "breaks", "joinpoints", "peers"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Way:
    """How a method is called.

    Parameters
    ----------
    function, module : str
        Its name, and the package that offers it.
    label : Text
        For the reader.
    takes_subject, takes_firms : bool
        Whether it is asked of one entity, and whether it can know which batches are of one firm.
    """

    function: str
    module: str
    label: Text
    takes_subject: bool = True
    takes_firms: bool = False


WAYS: dict[Method, Way] = {
    "level": Way(function="estimate_level", module="qbase", label=Text("水平", "level"), takes_firms=True),
    "change": Way(
        function="estimate_change",
        module="qbase",
        label=Text("与上年同期相比", "change on a year ago"),
        takes_firms=True,
    ),
    "trend": Way(function="estimate_trend", module="qbase.trends", label=Text("趋势", "trend"), takes_firms=True),
    "control": Way(function="estimate_control", module="qbase.trends", label=Text("控制图", "control chart")),
    "breaks": Way(function="estimate_breaks", module="qbase.trends", label=Text("断点", "breaks")),
    "joinpoints": Way(function="estimate_joinpoints", module="qbase.trends", label=Text("转折", "turns")),
    "peers": Way(
        function="compare_peers", module="qbase.trends", label=Text("与同类相比", "beside peers"), takes_subject=False
    ),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class View:
    """One look at the data.

    Parameters
    ----------
    indicator : str
        Id of the catalogue.
    entity : {"cluster_id", "firm_id", "town_code"}
        What is followed.
    subject : str or None
        Code of one entity; None pools all.
    sampling : {"naive", "random_draw", "post_stratified", "prediction_powered"}
        Treatment of the draws.
    freq : {"Q", "H", "A"}
        Quarters, half-years or years.
    first, last : str or None
        Window, both inside; None is as far as the data go.
    method : {"level", "change", "trend", "control", "breaks", "joinpoints", "peers"}
        What is asked.

    Raises
    ------
    UsageError
        A word is none of those (QB144).

    Examples
    --------
    >>> from qbase.explore import View
    >>> View(subject="K001", first="2022Q1").window
    {'first': '2022Q1'}
    """

    indicator: str = "D1.batch"
    entity: Entity = "cluster_id"
    subject: str | None = None
    sampling: Sampling = "naive"
    freq: Freq = "Q"
    first: str | None = None
    last: str | None = None
    method: Method = "level"

    def __post_init__(self) -> None:
        for option, known in (("entity", get_args(Entity)), ("sampling", get_args(Sampling)), ("freq", FREQ_NAMES)):
            check_word(option, getattr(self, option), known)
        check_word("method", self.method, WAYS)

    @property
    def way(self) -> Way:
        """How its method is called."""
        return WAYS[self.method]

    @property
    def window(self) -> dict[str, Any]:
        """What is asked of `build_panel` otherwise than by its defaults."""
        plain = {f.name: f.default for f in dataclasses.fields(View)}
        names = ("entity", "freq", "first", "last", "sampling")
        return {name: value for name in names if (value := getattr(self, name)) != plain[name]}
