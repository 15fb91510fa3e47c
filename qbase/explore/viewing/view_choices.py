"""What can be chosen in a view: indicators that have data, entities by name, periods, words."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, get_args

from qbase.core.panel import Panel, Sampling
from qbase.core.periods import code
from qbase.core.text import Text
from qbase.explore.viewing.view import WAYS
from qbase.indicators import list_indicators

if TYPE_CHECKING:
    from qbase.explore.viewing.view import View
    from qbase.lake import Workspace

Choice = tuple[Text, str]
ENTITIES: tuple[Choice, ...] = ((Text("产业集群", "cluster"), "cluster_id"), (Text("乡镇", "town"), "town_code"))
FREQS: tuple[Choice, ...] = (
    (Text("季度", "quarters"), "Q"),
    (Text("半年", "half-years"), "H"),
    (Text("年", "years"), "A"),
)
DRAWS: dict[Sampling, Text] = {
    "naive": Text("按抽到的算", "as drawn"),
    "random_draw": Text("只看随机抽样，按层加权", "random draws, weighted"),
    "post_stratified": Text("事后分层", "post-stratified"),
    "prediction_powered": Text("借助预测", "helped by prediction"),
}
METHODS: tuple[Choice, ...] = tuple((way.label, name) for name, way in WAYS.items())
SAMPLINGS: tuple[Choice, ...] = tuple((DRAWS[name], name) for name in get_args(Sampling))
ALL = Text("全部合并", "all pooled")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Span:
    """Whom and when a panel holds: choices of entities by name, and codes of its periods in order."""

    subjects: tuple[Choice, ...]
    periods: tuple[str, ...]


def list_measured(workspace: Workspace, view: View) -> tuple[Choice, ...]:
    """List the indicators that have data and are measured of this kind of entity at this frequency.

    Parameters
    ----------
    workspace : Workspace
        Whose data are looked at.
    view : View
        Its kind of entity and its frequency count.

    Returns
    -------
    tuple of (Text, str)
        Name with the unit's id, and the id.

    Examples
    --------
    >>> from qbase.explore import View, list_measured
    >>> from qbase.lake import open_workspace
    >>> name, indicator = list_measured(open_workspace(), View())[0]
    >>> indicator, name.en
    ('D1.batch', 'D1.batch batch pass rate')
    """
    ready = [a.measured for a in list_indicators(workspace) if a.state == "ready"]
    kept = [m.indicator for m in ready if view.entity in m.entities and view.freq in m.freqs]
    return tuple((Text(f"{i.id} {i.name.zh}", f"{i.id} {i.name.en}"), i.id) for i in kept)


def read_span(panel: Panel) -> Span:
    """Read whom and when a panel holds.

    Parameters
    ----------
    panel : Panel
        Built over the whole time.

    Returns
    -------
    Span
        Entities sorted by code.

    Examples
    --------
    >>> from qbase.explore import read_span
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> span = read_span(build_panel(open_workspace(), "D1.batch", first="2024Q1", last="2025Q4"))
    >>> span.subjects[0][1], span.subjects[0][0].en, span.periods[-1]
    ('K001', 'Qingzhao polyester fibre cluster', '2025Q4')
    """
    subjects = tuple((panel.label(entity), str(entity)) for entity in panel.entities)
    return Span(subjects=subjects, periods=tuple(code(period) for period in panel.periods))
