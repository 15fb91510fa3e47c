"""A published case in the lake → panel and policy, as its description says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import count
from qbase.core.panel import Panel
from qbase.core.periods import Freq, to_periods
from qbase.core.policy import Policy, Spell
from qbase.core.text import Text
from qbase.core.values import CheckResult
from qbase.indicators.cells.inspection_window import require_table
from qbase.intake import Case, read_case

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace


def build_case(workspace: Workspace, name: str, *, snapshot: str | None = None) -> tuple[Panel, Policy]:
    """Build panel and policy of a published case.

    Rows without an outcome are left out, and entities without any outcome are left out of the policy;
    `check_case` says how many.

    Parameters
    ----------
    workspace : Workspace
        `qbase.intake.load_case` has loaded the case into its lake.
    name : str
        ``us_scrap_grants``.
    snapshot : str or None
        Snapshot of the lake; None is the latest.

    Returns
    -------
    panel : Panel
    policy : Policy

    Raises
    ------
    UsageError
        No such case (QB301).
    DataError
        It was not loaded (QB403), or holds no outcome at all (QB406).

    Examples
    --------
    >>> import tempfile
    >>> from qbase.indicators import build_case
    >>> from qbase.intake import load_case
    >>> from qbase.lake import Workspace
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> _ = load_case(home, "us_scrap_grants")
    >>> panel, policy = build_case(home, "us_scrap_grants")
    >>> panel
    <Panel X1.log_scrap: 54 x 3 annual periods 1987 to 1989, 162 rows, naive>
    >>> policy
    <Policy us_scrap_grants: 29 treated, binary>
    """
    case = read_case(name)
    at = workspace.snapshot(snapshot)
    rows = _read_rows(workspace, case, at)
    held = rows[rows[case.outcome_column].notna()]
    if held.empty:
        raise DataError(
            "QB406",
            case=name,
            found=f"{len(rows)} rows, {case.outcome_column} missing in all",
            expected=f"{case.outcome_column} in at least one row",
            fix=f'load_case(workspace, "{name}")',
        )
    sources = (workspace.source(case.table, at),)
    panel = Panel.from_frame(
        held.rename(columns={case.outcome_column: case.outcome.id}),
        entity=case.entity,
        period=case.period,
        freq=_freq(case),
        indicators={case.outcome.id: case.outcome},
        sources=sources,
    )
    policy = Policy(
        policy_id=name,
        title=case.title,
        spells=_spells(case, held),
        sources=sources,
        treated=case.treated,
        moments=dict(zip(case.event_times, case.labels, strict=True)),
    )
    return panel, policy


def check_case(workspace: Workspace, name: str, *, snapshot: str | None = None) -> CheckResult:
    """Say how many rows and entities of a case carry an outcome.

    Returns
    -------
    CheckResult
        ``coverage``, for information.

    Raises
    ------
    UsageError
        No such case (QB301).
    DataError
        It was not loaded (QB403).

    Examples
    --------
    >>> import tempfile
    >>> from qbase.indicators import check_case
    >>> from qbase.intake import load_case
    >>> from qbase.lake import Workspace
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> _ = load_case(home, "us_scrap_grants")
    >>> print(check_case(home, "us_scrap_grants").text.en)
    162 of 471 rows carry the outcome (54 of 157 entities); the other 309 are not used.
    """
    case = read_case(name)
    rows = _read_rows(workspace, case, workspace.snapshot(snapshot))
    held = rows[rows[case.outcome_column].notna()]
    all_of, with_it = rows[case.entity].nunique(), held[case.entity].nunique()
    text = Text(
        f"{count(len(rows))} 行中 {count(len(held))} 行有结果值（{count(all_of)} 个主体中的 {count(with_it)} 个），"
        f"其余 {count(len(rows) - len(held))} 行未用。",
        f"{count(len(held))} of {count(len(rows))} rows carry the outcome ({count(with_it)} of {count(all_of)} "
        f"entities); the other {count(len(rows) - len(held))} are not used.",
    )
    return CheckResult(name="coverage", passed=None, text=text)


def _read_rows(workspace: Workspace, case: Case, at: Snapshot) -> pd.DataFrame:
    require_table(workspace, case.table, at, fix=f'load_case(workspace, "{case.name}")')
    # the name of the table comes from the package's own description of the case
    rows: pd.DataFrame = workspace.query("SELECT * FROM " + case.table, snapshot=at)  # noqa: S608
    return rows.assign(**{case.entity: rows[case.entity].astype(str)})


def _freq(case: Case) -> Freq:
    return "A" if case.freq == "A" else "Q"


def _spells(case: Case, rows: pd.DataFrame) -> tuple[Spell, ...]:
    starts = rows.dropna(subset=[case.adoption_column]).groupby(case.entity)[case.adoption_column].first()
    if pd.api.types.is_numeric_dtype(starts):
        starts = starts.astype(int).astype(str)
    periods = to_periods(pd.Index(starts), _freq(case))
    return tuple(Spell(entity=str(e), start=p) for e, p in zip(starts.index, periods, strict=True))
