"""Controls that the policy itself moves: adjusting for them takes away the effect, or makes one."""

from __future__ import annotations

from collections.abc import Sequence

from qbase.core.errors import UsageError
from qbase.core.text import Text

INSTRUMENT = Text("政策要求建立，是政策起作用的途径", "the policy asks for it: it is a way the policy works")
DRAWING = Text("由过去的不合格决定，并决定谁被抽查", "past failures set it, and it decides who is tested")
AWARDED = Text("随抽查结果评定", "it is awarded by the results of inspections")
BAD: dict[str, Text] = {
    **dict.fromkeys(("N3", "N4", "L7", "L8", "W2b"), INSTRUMENT),
    **dict.fromkeys(("risk_class", "risk"), DRAWING),
    **dict.fromkeys(("credit_grade", "credit", "W7"), AWARDED),
}
COUNTS = Text("政策之后的抽查批次，政策会改变它", "batches tested under the policy, which moves them")
COMPANIONS = ("__n", "__k", "__n_firms", "__n_eff", "__num", "__den")


def refuse_bad_controls(controls: Sequence[str], *, is_baseline: bool = False) -> None:
    """Raise when a covariate is one that the policy moves.

    Parameters
    ----------
    controls : sequence of str
        Ids of indicators, of their companions, or columns of firms.
    is_baseline : bool
        Whether they are frozen before anybody is treated: counts of batches may then be used, and risk class and
        credit grade too; what the policy asks for may not, for its level before is part of why it came.

    Raises
    ------
    UsageError
        One of them is a bad control (QB563).

    References
    ----------
    Angrist, J. D. and Pischke, J.-S. (2009). Mostly Harmless Econometrics, section 3.2.3 (bad control).
    """
    for control in controls:
        why = _why(control.strip(), is_baseline)
        if why is None:
            continue
        raise UsageError(
            "QB563", control=control, why_zh=why.zh, why_en=why.en, found=f"controls=[{control!r}, …]",
            expected="what the policy cannot move: industry, size or region before it began",
            fix=f"leave out {control}, or judge it as an outcome of its own",
        )  # fmt: skip


def _why(control: str, is_baseline: bool) -> Text | None:
    name, _, part = control.partition("__")
    main = name.partition(".")[0]
    if part and f"__{part}" in COMPANIONS:
        return None if is_baseline else COUNTS
    reason = BAD.get(main, BAD.get(main.lower()))
    return None if is_baseline and reason is not INSTRUMENT else reason
