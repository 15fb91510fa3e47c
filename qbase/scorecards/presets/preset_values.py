"""Presets: dated thresholds with their source, and what each of them is meant for."""

from __future__ import annotations

import dataclasses
from typing import Literal

from qbase.core.panel import Sampling
from qbase.core.text import Text

Kind = Literal["rate", "value", "everybody", "lead"]
Basis = Literal["text", "outside", "declared"]
Listed = Literal["register", "firms", "above_scale"]
Verified = Literal["random", "unknown"]

NOTHING = Text("", "")
BASIS_WORDS = {
    "text": Text("政策原文", "the policy text"),
    "outside": Text("外部来源", "a source outside the text"),
    "declared": Text("本软件包声明的选择", "a declared choice of this package"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """A threshold for one indicator, in its unit, where it is written, and what it is meant for.

    Parameters
    ----------
    indicator_id : str
        ``D1.batch``.
    value : float
        In the unit of the indicator; for a lead 0.
    source : Text
        Where the number is written.
    gate : str
        Gate it belongs to, a line of the catalogue (``N5``); empty for that of its indicator.
    kind : {"rate", "value", "everybody", "lead"}
        A sampled rate; a full count; 均/全部 counted on a list of firms; stable and in the lead.
    sampling : {"random_draw", "naive", "post_stratified"}
        Treatment of draws the threshold is meant for.
    window : int
        Quarters it is meant for. A full count is held to it in each year of the window.
    least_n : int
        Fewer draws have no verdict.
    level : float
        One-sided level of the verdict; of a lead the least probability that it is above 0.
    listed : {"register", "firms", "above_scale"}
        List that 均/全部 runs over: all rows of the indicator, which are the register's; living firms; living firms
        above scale.
    verified : {"random", "unknown"}
        Whether those verified are a random subset of the list.
    margin : float
        Of a lead: how far, in points, a window of four quarters may trail.
    steady_level : float
        Of a lead: least probability that no window of four quarters trails by more.
    dated_on : str
        ISO date of the source.
    basis : {"text", "outside", "declared"}
        Who set the number.

    Examples
    --------
    >>> from qbase.core import Text
    >>> from qbase.scorecards import Target
    >>> target = Target(indicator_id="D1.batch", value=96.0, source=Text("镇政府计划", "plan of the town for 2024"))
    >>> f"{target.gate_id}: {target.indicator_id} {target.value} % over {target.window} quarters ({target.source.en})"
    'D1: D1.batch 96.0 % over 4 quarters (plan of the town for 2024)'
    """

    indicator_id: str
    value: float
    source: Text
    gate: str = ""
    kind: Kind = "rate"
    sampling: Sampling = "random_draw"
    window: int = 4
    least_n: int = 20
    level: float = 0.95
    listed: Listed = "register"
    verified: Verified = "unknown"
    margin: float = 2.0
    steady_level: float = 0.8
    dated_on: str = ""
    basis: Basis = "declared"

    @property
    def gate_id(self) -> str:
        """Line of the catalogue the gate stands for."""
        return self.gate or self.indicator_id.partition(".")[0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preset:
    """A set of targets, and what a base has to pass.

    Parameters
    ----------
    preset_id : str
        Stem of its file.
    version : int
        Raised when a target changes.
    dated_on : str
        ISO date of the source.
    title : Text
        Named in every verdict.
    targets : tuple of Target
        None where the office declared no target.
    required : tuple of str
        Gates a base must pass; one without a threshold or without data means cannot tell.
    bases : tuple of int
        How many bases the text asks for, least and most: 2 and 3.
    due_on : str
        ISO date near-term goals are due, a declared parameter; empty where none was declared.
    extends : str
        Preset whose targets it takes over; empty for none.
    notes : tuple of Text
        What the preset leaves open.

    Examples
    --------
    >>> from qbase.core import Text
    >>> from qbase.scorecards import Preset, Target
    >>> aim = Target(indicator_id="D1.batch", value=96.0, source=Text("镇政府计划", "plan of the town"))
    >>> title = Text("本镇目标", "aims of our town")
    >>> own = Preset(preset_id="town", version=1, dated_on="2024-02-01", title=title, targets=(aim,))
    >>> own.title.en, [(target.indicator_id, target.value) for target in own.targets]
    ('aims of our town', [('D1.batch', 96.0)])
    """

    preset_id: str
    version: int
    dated_on: str
    title: Text
    targets: tuple[Target, ...]
    required: tuple[str, ...] = ()
    bases: tuple[int, int] = (2, 3)
    due_on: str = ""
    extends: str = ""
    notes: tuple[Text, ...] = ()

    def of_gate(self, gate: str) -> tuple[Target, ...]:
        """Return the targets of a gate, which must all be met."""
        return tuple(t for t in self.targets if t.gate_id == gate)

    @property
    def gates(self) -> tuple[str, ...]:
        """Return every gate once: those a base must pass, then the others with a threshold."""
        return tuple(dict.fromkeys((*self.required, *(t.gate_id for t in self.targets))))
