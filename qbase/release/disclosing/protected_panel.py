"""A panel for outside the house: counts are withheld first, and all else is computed from what is left."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from qbase.core.coverage import HIDDEN, PATTERN, Withheld
from qbase.core.errors import DataError, UsageError
from qbase.core.panel import Panel
from qbase.core.periods import code
from qbase.core.text import Text
from qbase.core.values import Source
from qbase.release.disclosing.disclosure import PROFILES
from qbase.release.disclosing.disclosure_pattern import SHOWN, DisclosurePattern
from qbase.release.disclosing.disclosure_presets import DisclosurePreset, read_disclosure_preset
from qbase.release.disclosing.linked_cells import ALL
from qbase.release.disclosing.office_preset import read_office_preset
from qbase.release.disclosing.pattern_storage import check_outcomes, find_pattern
from qbase.stats import wilson_interval

if TYPE_CHECKING:
    from qbase.lake import Workspace

KIND_OF = {"cluster_id": "cluster", "town_code": "town"}


def protect_panel(workspace: Workspace, panel: Panel, *, profile: str, preset: str | None = None) -> Panel:
    """Return what of a panel a reader of this profile may see.

    Parameters
    ----------
    workspace : Workspace
        Its lake holds the patterns; they are read, never made here.
    panel : Panel
        ``D1.batch`` of clusters or towns by quarter, draws as they are.
    profile : {"internal", "external", "statutory_public"}
        The first gives the panel as it is.
    preset : str or None
        As for `read_disclosure_preset`; None takes that of the workspace (`qbase.release.read_office_preset`).

    Returns
    -------
    Panel
        As `withhold_cells`.

    Raises
    ------
    UsageError
        The profile is unknown (QB752), or no pattern covers such a panel (QB764).
    DataError
        No pattern was made for its snapshot (QB763), one is damaged (QB758) or of other counts (QB765), or nothing
        may be shown (QB714).

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.release import protect_panel
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2025Q4", last="2025Q4")
    >>> protect_panel(open_workspace(), panel, profile="external")
    Traceback (most recent call last):
        ...
    qbase.core.errors.DataError: error[QB763] nothing of 2025 may be shown outside yet: there is no pattern
      found     no pattern cn_default-1 of 2025 in S...
      expected  a pattern made before anything is shown
      to fix    qbase release pattern --period 2025Q4 --preset cn_default
    """
    if profile not in PROFILES:
        raise UsageError(
            "QB752", profile=profile, found=repr(profile), expected=" | ".join(PROFILES), fix='profile = "internal"'
        )
    if profile == "internal":
        return panel
    rules = read_disclosure_preset(preset or read_office_preset(workspace))
    check_outcomes(list(panel.indicators))
    years = sorted({period.year for period in panel.data.index.get_level_values("period")})
    patterns = [find_pattern(workspace, panel.snapshot, rules.edition, year) for year in years]
    return withhold_cells(panel, patterns, rules)


def withhold_cells(panel: Panel, patterns: Sequence[DisclosurePattern], rules: DisclosurePreset) -> Panel:
    """Return a panel without the rows that patterns withhold, its rates and intervals from the counts that are left.

    Parameters
    ----------
    panel : Panel
        A rate with its counts, of clusters or towns by quarter; left as it is.
    patterns : sequence of DisclosurePattern
        One for each year.
    rules : DisclosurePreset
        Whose base counts are rounded to.

    Returns
    -------
    Panel
        No more than what is shown: without cells by stratum and without the account of records, whose sums would
        tell more. ``withheld`` says which rows are missing, a note how many.

    Raises
    ------
    UsageError
        The panel is none that patterns cover (QB764).
    DataError
        A row of the panel is in no pattern, or with other counts (QB765); every row is withheld (QB714).

    Examples
    --------
    >>> from qbase.indicators import build_panel, read_contributors
    >>> from qbase.lake import open_workspace
    >>> from qbase.release import build_linked_cells, plan_pattern, read_disclosure_preset, withhold_cells
    >>> workspace, rules = open_workspace(), read_disclosure_preset("cn_default")
    >>> quarter = {"first": "2025Q1", "last": "2025Q1"}
    >>> pattern = plan_pattern(build_linked_cells(read_contributors(workspace, **quarter)), rules)
    >>> panel = build_panel(workspace, "D1.batch", **quarter)
    >>> print(withhold_cells(panel, [pattern], rules).notes[-1].en)
    2 of 10 values are withheld (…) under preset cn_default to protect firms; rates and intervals are of what is shown.
    """
    kind = KIND_OF.get(panel.entity)
    if kind is None or panel.freq != "Q" or panel.sampling != "naive" or panel.shrunk or len(panel.indicators) != 1:
        raise UsageError(
            "QB764",
            found=f"{', '.join(panel.indicators)} by {panel.entity}, {panel.freq}, {panel.sampling}",
            expected=f"one rate by {' or '.join(KIND_OF)}, Q, naive",
            fix='build_panel(workspace, "D1.batch", entity="cluster_id", freq="Q")',
        )
    outcome = next(iter(panel.indicators))
    state = _states(panel, outcome, kind, patterns)
    if not (state == SHOWN).any():
        raise DataError(
            "QB714",
            preset=rules.preset_id,
            found=f"{len(state)} of {len(state)} quarters withheld",
            expected="a quarter that may be shown",
            fix="larger places (entity = town_code), more batches, or profile internal",
        )
    left = _recompute(panel.data[state == SHOWN], outcome, rules)
    keys = zip(*(panel.data.index.get_level_values(i) for i in (0, 1)), strict=True)
    cells = frozenset((str(e), code(p)) for (e, p), s in zip(keys, state, strict=True) if s != SHOWN)
    withheld = Withheld(edition=rules.edition, cells=cells)
    note = Text(
        f"为保护企业信息，按{withheld.by.zh}，{len(state)} 个数中有 {len(cells)} 个不公开（{HIDDEN}），"
        "比率和区间由公开的计数重算。",
        f"{len(cells)} of {len(state)} values are withheld ({HIDDEN}) under {withheld.by.en} to protect firms; rates "
        "and intervals are of what is shown.",
    )
    # without the hash of the pattern, by which a reader could try what the withheld counts may be
    mark = Source(path=f"{PATTERN}{rules.edition}", title=rules.title)
    # what is left is no longer the records of a snapshot, and an account of those would add up what is withheld
    sources = [dataclasses.replace(s, snapshot="") if s.path == "inspections" else s for s in panel.sources]
    return dataclasses.replace(
        panel,
        data=left,
        cells=None,
        coverage=None,
        sources=(*sources, mark),
        notes=(*panel.notes, note) if cells else panel.notes,
        withheld=withheld,
    )


def _states(
    panel: Panel, outcome: str, kind: str, patterns: Sequence[DisclosurePattern]
) -> pd.Series[str]:  # fmt: skip
    cells = pd.concat([p.cells for p in patterns], ignore_index=True) if patterns else pd.DataFrame()
    if len(cells):
        cells = cells[(cells["kind"] == kind) & (cells["group"] == ALL)]
        cells = cells.set_index(["place", "period"])[["n", "k", "state"]]
    entities, periods = (panel.data.index.get_level_values(i) for i in (0, 1))
    keys = pd.MultiIndex.from_arrays([entities.astype(str), [code(p) for p in periods]], names=["place", "period"])
    found = cells.reindex(keys) if len(cells) else pd.DataFrame(index=keys, columns=["n", "k", "state"])
    counts = panel.counts(outcome)
    same = (found["n"].to_numpy() == counts["n"].to_numpy()) & (found["k"].to_numpy() == counts["k"].to_numpy())
    if not same.all():
        raise DataError(
            "QB765",
            found=f"{int((~same).sum())} of {len(same)} rows, first {' '.join(map(str, keys[~same][0]))}",
            expected="every row with the counts the pattern was made of",
            fix="build the panel from the snapshot of the pattern, without filters",
        )
    return pd.Series(found["state"].to_numpy(), index=panel.data.index, dtype=object)


def _recompute(left: pd.DataFrame, outcome: str, rules: DisclosurePreset) -> pd.DataFrame:
    """Return the counts that are left, rounded where the preset says so, with rate and interval computed from them."""
    n_name, k_name, firms = f"{outcome}__n", f"{outcome}__k", f"{outcome}__n_firms"
    left = left[[c for c in (outcome, n_name, k_name, firms) if c in left]].copy()
    base = rules.round_to
    if base > 1:
        for name in (n_name, k_name):
            left[name] = (np.floor(left[name] / base + 0.5) * base).astype("int64")
        if firms in left:
            left[firms] = np.maximum(left[firms] // base * base, rules.fewest_firms)
    left[outcome] = 100 * left[k_name] / left[n_name]
    low, high = wilson_interval(left[k_name].to_numpy(), left[n_name].to_numpy())
    left[f"{outcome}__lo"], left[f"{outcome}__hi"] = 100 * low, 100 * high
    return left
