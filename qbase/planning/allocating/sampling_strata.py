"""Strata of next year's draws: how many firms there are, and what past random draws say of their pass rates."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbase.core import periods
from qbase.core.errors import DataError, PanelError
from qbase.core.given import read_ids
from qbase.core.text import Text, same
from qbase.core.values import Source
from qbase.indicators.cells.inspection_window import require_table
from qbase.indicators.firm_counts import read_firm_counts
from qbase.indicators.kept.kept_values import keep_value
from qbase.indicators.panel_building import build_panel
from qbase.stats.rates.firm_likeness import fit_firm_likeness
from qbase.stats.rates.shrinkage import BetaBinomial, fit_beta_binomial

if TYPE_CHECKING:
    from qbase.lake import Workspace

Floats = NDArray[np.float64]

COLUMNS = ("entity", "stratum", "n_firms", "n_tested", "n_passed")
LEAST_STRATA = 4
JEFFREYS = BetaBinomial(alpha=0.5, beta=0.5)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Strata:
    """Firms to draw from, with a prior of their pass rates.

    Parameters
    ----------
    data : pandas.DataFrame
        Columns entity, stratum, n_firms, n_tested, n_passed (past random draws), alpha, beta (of the rate's posterior);
        sorted, one row a stratum of an entity.
    likeness : float
        Correlation of batches of one firm, 0 to 1.
    labels : mapping of str to Text
        Names of the entities.
    outcome : str
        Indicator whose rate it is.
    sources : tuple of Source

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.planning import Strata
    >>> data = pd.DataFrame({"entity": ["K001"], "stratum": ["A"], "n_firms": [9], "alpha": [18.5], "beta": [1.5]})
    >>> Strata(data=data, likeness=0.1).rates
    array([0.925])
    """

    data: pd.DataFrame
    likeness: float
    labels: dict[str, Text] = dataclasses.field(default_factory=dict)
    outcome: str = "D1.batch"
    sources: tuple[Source, ...] = ()

    @property
    def entities(self) -> list[str]:
        """Entities, sorted."""
        return sorted(self.data["entity"].unique())

    @property
    def rates(self) -> Floats:
        """Expected pass rate of every stratum, as a share, shape (H,)."""
        a, b = (self.data[c].to_numpy(dtype=float) for c in ("alpha", "beta"))
        return np.asarray(a / (a + b), dtype=float)

    def firms_of(self, entity: str) -> int:
        """Return how many firms of an entity there are to draw from."""
        return int(self.data.loc[self.data["entity"] == entity, "n_firms"].sum())

    def label(self, entity: str) -> Text:
        """Return the name of an entity, or its code where it has none."""
        return self.labels.get(entity, same(entity))

    def __repr__(self) -> str:
        """Say how much there is to draw from."""
        firms = int(self.data["n_firms"].sum())
        return f"<Strata {self.outcome}: {len(self.entities)} entities, {len(self.data)} strata, {firms:,} firms>"


def build_strata(
    frame: pd.DataFrame,
    *,
    likeness: float = 0.0,
    labels: dict[str, Text] | None = None,
    outcome: str = "D1.batch",
    sources: tuple[Source, ...] = (),
) -> Strata:
    """Return strata from a list of firms and past random draws, with a prior that no stratum is without failures.

    A stratum in which nothing failed is not one in which nothing can fail: rates are beta posteriors under the
    distribution of rates over all strata (empirical Bayes; Jeffreys' prior where fewer than four were tested), so that
    Neyman's allocation does not leave such strata without draws.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns entity, stratum, n_firms, and n_tested and n_passed of past random draws (0 where there were none).
    likeness : float
        Correlation of batches of one firm.
    labels, outcome, sources
        See `Strata`.

    Returns
    -------
    Strata

    Raises
    ------
    PanelError
        A column is missing, there is no row, or a stratum twice (QB620), a stratum without firms or with counts that
        cannot be (QB621).

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.planning import build_strata
    >>> frame = pd.DataFrame({
    ...     "entity": "K001", "stratum": ["A-small", "B-small", "C-small", "D-small"], "n_firms": [20, 14, 9, 3],
    ...     "n_tested": [20, 31, 40, 12], "n_passed": [20, 29, 35, 9],
    ... })
    >>> strata = build_strata(frame, likeness=0.2)
    >>> strata
    <Strata D1.batch: 1 entities, 4 strata, 46 firms>
    >>> strata.rates.round(3)  # none of 20 failed, which does not make it 1
    array([0.932, 0.911, 0.879, 0.846])
    """
    missing = [c for c in COLUMNS if c not in frame.columns]
    if missing:
        raise PanelError(
            "QB620", found=f"no column {', '.join(missing)}", expected=", ".join(COLUMNS), fix="build_strata(frame)"
        )
    if frame.empty:
        raise PanelError("QB620", found="no stratum", expected="one row or more", fix="build_strata(frame)")
    data = frame[list(COLUMNS)].assign(entity=read_ids(frame["entity"]), stratum=frame["stratum"].astype(str))
    data = data.sort_values(["entity", "stratum"]).reset_index(drop=True)
    if (twice := data.duplicated(["entity", "stratum"])).any():
        row = data[twice].iloc[0]
        raise PanelError(
            "QB620", found=f"{row['entity']} {row['stratum']} twice", expected="one row a stratum of an entity",
            fix='frame.groupby(["entity", "stratum"], as_index=False).sum()',
        )  # fmt: skip
    _check_counts(data)
    if not 0 <= likeness <= 1:
        raise DataError("QB621", what="likeness", found=f"{likeness}", expected="0 to 1", fix="likeness=0.2")
    data = data.astype(dict.fromkeys(COLUMNS[2:], "int64"))
    prior = _prior(data)
    posterior = data.assign(
        alpha=prior.alpha + data["n_passed"], beta=prior.beta + (data["n_tested"] - data["n_passed"])
    )
    return Strata(data=posterior, likeness=float(likeness), labels=labels or {}, outcome=outcome, sources=sources)


def merge_list(strata: Strata, listed: pd.DataFrame) -> Strata:
    """Return strata that hold the firms of a closed list, with what past random draws say of them.

    Parameters
    ----------
    strata : Strata
        Of `read_strata`: its firms are those of the list delivered last.
    listed : pandas.DataFrame
        Of `qbase.planning.read_closed_list`; a stratum it does not name is not drawn from.

    Raises
    ------
    PanelError
        A cluster of the list is none of the strata (QB627).

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.lake import open_workspace
    >>> from qbase.planning import merge_list, read_strata
    >>> listed = pd.DataFrame({"firm_id": ["F1", "F2", "F3"], "entity": "K001", "stratum": ["A-small", "A-small", "D"]})
    >>> merge_list(read_strata(open_workspace()), listed)
    <Strata D1.batch: 1 entities, 2 strata, 3 firms>
    """
    if unknown := sorted(set(listed["entity"]) - set(strata.entities)):
        raise PanelError(
            "QB627", found=f"cluster {unknown[0]} on the list", fix="codes of clusters as the workspace has them",
            expected=f"{strata.entities[0]} … {strata.entities[-1]}",
        )  # fmt: skip
    sizes = listed.groupby(["entity", "stratum"], as_index=False).agg(n_firms=("firm_id", "size"))
    past = strata.data[["entity", "stratum", "n_tested", "n_passed"]]
    frame = sizes.merge(past, on=["entity", "stratum"], how="left").fillna({"n_tested": 0, "n_passed": 0})
    return build_strata(
        frame, likeness=strata.likeness, labels=strata.labels, outcome=strata.outcome, sources=strata.sources
    )


def _check_counts(data: pd.DataFrame) -> None:
    n_firms, n, k = (pd.to_numeric(data[c], errors="coerce") for c in COLUMNS[2:])
    empty = ~(n_firms >= 1) | (n_firms % 1 != 0)
    wrong = ~((n >= 0) & (k >= 0) & (k <= n)) | (n % 1 != 0) | (k % 1 != 0)
    for bad, expected, fix in (
        (empty, "1 firm or more in every stratum", "leave strata without firms out of the list"),
        (wrong, "whole numbers, 0 <= n_passed <= n_tested", "count past random draws again"),
    ):
        if bad.any():
            row = data[bad].iloc[0]
            found = f"n_firms {row['n_firms']}, n_tested {row['n_tested']}, n_passed {row['n_passed']}"
            raise PanelError("QB621", what=f"{row['entity']} {row['stratum']}", found=found, expected=expected, fix=fix)


def _prior(data: pd.DataFrame) -> BetaBinomial:
    tested = data[data["n_tested"] > 0]
    if len(tested) < LEAST_STRATA:
        return JEFFREYS
    return fit_beta_binomial(tested["n_passed"], tested["n_tested"], prior="shrinkage")


def read_strata(
    workspace: Workspace, outcome: str = "D1.batch", *, last: str | None = None, years: int = 2,
    snapshot: str | None = None,
) -> Strata:  # fmt: skip
    """Read the newest list of firms by cluster, risk class and size, with the random draws of the last years.

    Parameters
    ----------
    workspace : Workspace
        Its tables ``frame`` and ``inspections``.
    outcome : str
        Indicator whose rate is planned.
    last : str or None
        Last quarter that is looked at, ``2025Q4``; None is the newest.
    years : int
        Of past draws.
    snapshot : str or None
        Snapshot of the lake; None is the latest.

    Returns
    -------
    Strata
        Directed draws are left out: they say what is found where one looks, not how good the stratum is.

    Raises
    ------
    DataError
        A table is missing (QB403).
    UsageError, PanelError
        As `qbase.indicators.build_panel`.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.planning import read_strata
    >>> strata = read_strata(open_workspace())
    >>> strata, strata.firms_of("K001")
    (<Strata D1.batch: 12 entities, 90 strata, 564 firms>, 46)
    """
    at = workspace.snapshot(snapshot)
    require_table(workspace, "frame", at)
    panel = build_panel(workspace, outcome, sampling="random_draw", last=last, snapshot=snapshot)
    newest = panel.periods[-1]
    cells = panel.cells if panel.cells is not None else pd.DataFrame(columns=["entity", "period", "stratum"])
    past = cells[(cells["sampling"] == "random") & (pd.PeriodIndex(cells["period"]) > newest - 4 * years)]
    drawn = past.groupby(["entity", "stratum"], as_index=False)[["n", "k"]].sum()
    frame = _newest_frame(workspace, str(newest), snapshot)
    found = frame.merge(drawn, on=["entity", "stratum"], how="left").fillna({"n": 0, "k": 0})
    firms = read_firm_counts(workspace, outcome, last=last, snapshot=snapshot)
    return build_strata(
        found.rename(columns={"n": "n_tested", "k": "n_passed"}),
        likeness=0.0 if firms is None else _likeness(firms.data),
        labels={e: panel.label(e) for e in panel.entities},
        outcome=outcome,
        sources=panel.sources,
    )


def read_listed_firms(workspace: Workspace, *, last: str | None = None, snapshot: str | None = None) -> dict[str, int]:
    """Read how many firms stand on each cluster's newest list.

    Parameters
    ----------
    workspace : Workspace
        Its table ``frame``.
    last : str or None
        Last period that is looked at, ``2025Q4``, ``2025H2`` or ``2025``; None is the newest.
    snapshot : str or None
        Snapshot of the lake; None is the latest.

    Returns
    -------
    dict of str to int
        By cluster; empty where no list was delivered.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.planning import read_listed_firms
    >>> read_listed_firms(open_workspace(), last="2025Q4")["K001"]
    46
    """
    at = workspace.snapshot(snapshot)
    end = "9999Q4" if last is None else periods.code(periods.period_at(periods.parse_any(last).end_time, "Q"))

    def build() -> dict[str, int]:
        found = _newest_frame(workspace, end, at.id)
        return {str(e): int(n) for e, n in found.groupby("entity")["n_firms"].sum().items()}

    has_list = workspace.has_table("frame", at)
    return dict(keep_value(workspace, "listed_firms", (end,), at, build, rooms=("planning",))) if has_list else {}


def _newest_frame(workspace: Workspace, last: str, snapshot: str | None) -> pd.DataFrame:
    """Return firms by cluster and stratum on each cluster's newest list up to a quarter."""
    sql = """
        SELECT cluster_id AS entity, risk_class || '-' || size_class AS stratum, sum(n_firms) AS n_firms
        FROM (
            SELECT DISTINCT cluster_id, quarter, risk_class, size_class, n_firms FROM frame WHERE quarter <= $last
            QUALIFY quarter = max(quarter) OVER (PARTITION BY cluster_id)
        )
        WHERE risk_class IS NOT NULL AND size_class IS NOT NULL
        GROUP BY 1, 2 HAVING sum(n_firms) > 0
    """
    return workspace.query(sql, params={"last": last}, snapshot=workspace.snapshot(snapshot))


def _likeness(rows: pd.DataFrame) -> float:
    used = rows[rows["n"] > 0]
    cell = np.asarray(used.groupby(["entity", "period"]).ngroup(), dtype=np.int64)
    n, k = (used[c].to_numpy(dtype=np.int64) for c in ("n", "k"))
    found = fit_firm_likeness(n, k, cell)
    return found.mean if found.is_informed else 0.0
