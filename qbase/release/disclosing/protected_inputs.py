"""What a letter for outside reads: the protected panel alone, and nothing that counts the same records otherwise."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from qbase.core.panel import Panel
from qbase.core.text import Text
from qbase.indicators import withhold_preliminary
from qbase.release.disclosing.protected_panel import protect_panel

if TYPE_CHECKING:
    from qbase.indicators.firm_counts import FirmCounts
    from qbase.indicators.maturity.maturity_table import Maturity
    from qbase.lake import Workspace

NOT_YET = Text(
    "结果尚未齐全的时期不对外公布。", "Periods whose results are not yet complete are not shown outside the house."
)


def protect_inputs(
    workspace: Workspace,
    panel: Panel,
    maturity: Maturity | None,
    firms: FirmCounts | None,
    *,
    profile: str,
    is_pooled: bool = False,
) -> tuple[Panel, Maturity | None, FirmCounts | None]:
    """Return panel, maturity and firm counts as a letter of this profile may use them; one call after they are read.

    Pending results and counts of single firms are further counts of the same cells, which no pattern vouches for.
    Outside the house preliminary periods are therefore left out, and intervals take batches as independent.

    Parameters
    ----------
    workspace : Workspace
        Its lake holds the patterns.
    panel : Panel
        As for `protect_panel`.
    maturity : Maturity or None
        From `qbase.indicators.read_maturity`.
    firms : FirmCounts or None
        From `qbase.indicators.read_firm_counts`.
    profile : {"internal", "external", "statutory_public"}
        The first gives all three as they are.
    is_pooled : bool
        The entities will be summed: a period that is preliminary for all together is left out as a whole.

    Returns
    -------
    panel : Panel
        As `protect_panel`, without preliminary periods.
    maturity, firms : None outside the house
        So that every estimate is made of the panel alone.

    Raises
    ------
    UsageError
        As `protect_panel` (QB752, QB764).
    DataError
        As `protect_panel` (QB714, QB758, QB763, QB765).

    Examples
    --------
    >>> from qbase.indicators import build_panel, read_firm_counts, read_maturity
    >>> from qbase.lake import open_workspace
    >>> from qbase.release import protect_inputs
    >>> workspace, window = open_workspace(), {"first": "2025Q1", "last": "2025Q4"}
    >>> given = build_panel(workspace, "D1.batch", **window), read_maturity(workspace, **window), None
    >>> protect_inputs(workspace, *given, profile="internal") == given
    True
    >>> protect_inputs(workspace, *given, profile="external")
    Traceback (most recent call last):
        ...
    qbase.core.errors.DataError: error[QB763] nothing of 2025 may be shown outside yet: there is no pattern
      found     no pattern cn_default-1 of 2025 in S...
      expected  a pattern made before anything is shown
      to fix    qbase release pattern --period 2025Q4 --preset cn_default
    """
    if profile == "internal":
        return panel, maturity, firms
    ripe = panel
    if maturity is not None:
        ripe = withhold_preliminary(panel, maturity)
        ripe = withhold_preliminary(ripe, maturity, is_pooled=True) if is_pooled else ripe
    if len(ripe.data) < len(panel.data):
        ripe = dataclasses.replace(ripe, notes=(*panel.notes, NOT_YET))
    return protect_panel(workspace, ripe, profile=profile), None, None
