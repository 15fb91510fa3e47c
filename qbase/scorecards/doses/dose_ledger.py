"""The ledger of a policy: what was put in, quarter by quarter, beside what was measured. Never an effect."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd

from qbase.core import periods
from qbase.core.errors import UsageError
from qbase.core.numbers import UNITS, count, interval, number, percent
from qbase.core.panel import Panel
from qbase.core.results.result import Result
from qbase.core.text import Text, join
from qbase.core.values import INSTRUMENTS, CheckResult, Estimate, Indicator, Key
from qbase.effects.comparison.dose_starts import TITLES
from qbase.scorecards.doses.dose_rows import PLANNED, SAFEGUARDS, DoseRows
from qbase.stats.rates.wilson import wilson_interval

NO_EFFECT = Text(
    "投入与结果只是并列，不说明效果：在哪里投入、何时投入、投入多少都不是随机的。",
    "Doses and outcomes only stand side by side and say nothing of an effect: where, when and how much was put in was "
    "not left to chance.",
)
ALL = Text("各产业集群", "the clusters")
NAMED = 3


def build_dose_ledger(panel: Panel, rows: DoseRows, outcome: str, *, entity: str | None = None) -> Result:
    """Put doses of instruments, safeguards and completion of the plan beside an outcome, by quarter.

    It is a record and no estimate of an effect; for that see `qbase.effects.estimate_instruments`.

    Parameters
    ----------
    panel : Panel
        Clusters by quarter; holds ``outcome``.
    rows : DoseRows
        From `read_dose_rows`.
    outcome : str
        Id of an indicator of the panel.
    entity : str or None
        A cluster; None takes the mean dose of all clusters with a record, the share of them with each safeguard, and
        the outcome of all batches together where the panel is not weighted.

    Returns
    -------
    Result
        Estimand ``level``, a full count: one estimate ``dose`` per instrument with a record, its mean a quarter since
        any instrument began. Table ``ledger``: ``period value low high n W1`` … ``W7 S1`` … ``S5 tasks_done
        tasks_planned meetings_done meetings_planned n_entities``; safeguards in percent of clusters. Without an answer
        where nothing was recorded. Checks ``no_effect``, ``plan_recorded``.

    Raises
    ------
    PanelError
        The panel has no such indicator (QB123).
    UsageError
        The panel is not of clusters by quarter (QB669).

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import build_dose_ledger, read_dose_rows
    >>> workspace = open_workspace()
    >>> panel = build_panel(workspace, "D1.batch")
    >>> ledger = build_dose_ledger(panel, read_dose_rows(workspace), "D1.batch", entity="K001")
    >>> ledger.tables["ledger"].tail(2)[["period", "value", "n", "W2", "S1", "tasks_done", "tasks_planned"]].round(2)
        period  value     n    W2     S1  tasks_done  tasks_planned
    38  2025Q3  94.74  19.0  0.73  100.0         5.0            5.0
    39  2025Q4  75.00  16.0  0.57  100.0         6.0            8.0
    """
    indicator = panel.indicator(outcome)
    if panel.entity != "cluster_id" or panel.freq != "Q":
        raise UsageError(
            "QB669", found=f"{panel.entity}, {panel.freq}", expected="cluster_id, Q",
            fix=f'build_panel(workspace, "{outcome}", entity="cluster_id", freq="Q")',
        )  # fmt: skip
    own = rows.rows if entity is None else rows.rows[rows.rows.index.get_level_values("entity") == entity]
    inside = own[own.index.get_level_values("period").isin(panel.periods)]
    subject = ALL if entity is None else panel.label(entity)
    held = [c for c in INSTRUMENTS if c in inside and inside[c].notna().any()]
    about: dict[str, Any] = {
        "estimand": "level", "outcome": _doses_beside(indicator), "unit": _unit(rows, held), "method": "dose_ledger",
        "subject": subject, "sources": tuple(dict.fromkeys((*panel.sources, *rows.sources))), "notes": (NO_EFFECT,),
        "coverage": panel.coverage_of(outcome),
    }  # fmt: skip
    settings = {
        "outcome": outcome,
        "outcome_unit": indicator.unit,
        "entity": entity,
        "entity_kind": panel.entity,
        "freq": panel.freq,
    }
    if not held:
        why = Text("{subject}没有政策工具的投入记录。", "No doses of instruments are on record for {subject}.")
        short = Text("没有投入记录", "No doses on record")
        return Result(**about, estimates=(), settings=settings, unanswered=why, labels={"unanswered": short})
    ledger = _ledger(panel, outcome, entity, inside)
    began = _first_dose(ledger, held)
    estimates = tuple(_mean_dose(ledger, code, began) for code in held)
    draft = Result(
        **about,
        estimates=estimates,
        tables={"ledger": ledger},
        checks=(CheckResult(name="no_effect", passed=None, text=NO_EFFECT), _check_plan(ledger)),
        settings=settings | _counts(estimates, ledger, began, whole=entity is None),
        spoken=tuple(range(len(estimates))),
    )
    labels = {"said[dose]": _say(draft, ledger, indicator, began), "measured": indicator.label}
    labels |= {f"instrument[{c}]": TITLES[c] for c in INSTRUMENTS}
    labels |= {f"safeguard[{c}]": rows.names[c] for c in SAFEGUARDS}
    return dataclasses.replace(draft, labels=labels)


def _doses_beside(outcome: Indicator) -> Indicator:
    return Indicator(
        id=f"{outcome.id}.doses",
        name=Text(f"政策工具投入（与{outcome.label.zh}并列）", f"doses beside the {outcome.label.en}"),
        short=Text("政策工具投入", "dose of the instruments"), unit="index", better="none", role="instrument",
    )  # fmt: skip


def _unit(rows: DoseRows, held: list[str]) -> str:
    """Return the unit of all doses, or none where they have different ones."""
    units = {rows.units.get(code, "") for code in held}
    unit = units.pop() if len(units) == 1 else "none"
    return unit if unit in UNITS else "none"


def _ledger(panel: Panel, outcome: str, entity: str | None, rows: pd.DataFrame) -> pd.DataFrame:
    by_period = rows.groupby(level="period")
    present = [c for c in (*INSTRUMENTS, *SAFEGUARDS) if c in rows]
    table = by_period[present].mean()
    table[[c for c in SAFEGUARDS if c in table]] *= 100
    # a sum of nothing recorded is not 0
    planned = [f"{what}_{end}" for what in PLANNED for end in ("done", "planned")]
    table = table.join(by_period[[c for c in planned if c in rows]].sum(min_count=1))
    table = table.reindex(columns=[*INSTRUMENTS, *SAFEGUARDS, *planned])
    table["n_entities"] = by_period.size()
    values = _outcome(panel, outcome, entity).reindex(table.index.union(panel.periods))
    whole = values.join(table)
    whole.index = whole.index.map(periods.code)
    return whole.rename_axis("period").reset_index()


def _outcome(panel: Panel, outcome: str, entity: str | None) -> pd.DataFrame:
    names = {outcome: "value", f"{outcome}__lo": "low", f"{outcome}__hi": "high", f"{outcome}__n": "n"}
    if entity is not None:
        own = panel.data[panel.data.index.get_level_values("entity") == entity].droplevel("entity")
        return own.rename(columns=names).reindex(columns=list(names.values()))
    counted = {f"{outcome}__k", f"{outcome}__n"} <= set(panel.data.columns) and panel.sampling == "naive"
    if not counted:
        return pd.DataFrame(columns=list(names.values()), index=panel.periods[:0], dtype=float)
    sums = panel.data[[f"{outcome}__k", f"{outcome}__n"]].groupby(level="period").sum()
    k, n = (sums[c].to_numpy(dtype=float) for c in sums)
    low, high = wilson_interval(k, n)
    return pd.DataFrame({"value": 100 * k / n, "low": 100 * low, "high": 100 * high, "n": n}, index=sums.index)


def _first_dose(ledger: pd.DataFrame, held: list[str]) -> pd.Period | None:
    given = ledger.loc[(ledger[held] > 0).any(axis=1), "period"]
    return periods.parse_period(given.iloc[0]) if len(given) else None


def _since(ledger: pd.DataFrame, began: pd.Period | None) -> pd.DataFrame:
    return ledger if began is None else ledger[ledger["period"] >= periods.code(began)]


def _mean_dose(ledger: pd.DataFrame, code: str, began: pd.Period | None) -> Estimate:
    given = _since(ledger, began)[code].dropna()
    value = float(given.mean()) if len(given) else 0.0
    key: dict[str, Key] = {"instrument": code, "quarters": len(given)}
    return Estimate(term="dose", key=key, value=value, uncertainty="none_full_count")


def _counts(
    estimates: tuple[Estimate, ...], ledger: pd.DataFrame, began: pd.Period | None, *, whole: bool
) -> dict[str, Any]:
    """Return how many instruments were used, and how many safeguards were in place last (everywhere, for all)."""
    known = ledger.dropna(subset=list(SAFEGUARDS), how="all")
    last = known[list(SAFEGUARDS)].iloc[-1] if len(known) else pd.Series(dtype=float)
    return {
        "began": None if began is None else periods.code(began),
        "n_used": sum(e.value > 0 for e in estimates),
        "n_safeguards": int((last == 100).sum() if whole else (last > 0).sum()),
        "safeguards_pct": float(last.mean()) if len(last) else None,
    }


def _check_plan(ledger: pd.DataFrame) -> CheckResult:
    planned = float(ledger["tasks_planned"].sum())
    if planned > 0:
        n = count(int(planned))
        text = Text(f"台账记有计划任务 {n} 项。", f"{n} planned tasks are on record.")
        return CheckResult(name="plan_recorded", passed=True, text=text)
    text = Text("没有计划任务的台账，完成率无从谈起。", "No planned tasks are on record: completion cannot be told.")
    return CheckResult(name="plan_recorded", passed=None, text=text)


def _say(result: Result, ledger: pd.DataFrame, outcome: Indicator, began: pd.Period | None) -> Text:
    parts = [_say_doses(result, began), _say_safeguards(result, ledger), _say_plan(_since(ledger, began))]
    parts += [_say_outcome(ledger, outcome), NO_EFFECT]
    return join([p for p in parts if p.zh], zh="", en=" ")


def _say_doses(result: Result, began: pd.Period | None) -> Text:
    name = result.subject
    the = f"the {name.en}" if name.en.endswith(" cluster") else name.en
    given = sorted((e for e in result.estimates if e.value > 0), key=lambda e: (-e.value, str(e.key["instrument"])))
    if began is None or not given:
        return Text(f"{name.zh}没有任何政策工具的投入。", f"No instrument was used in {the}.")
    told = [(TITLES[str(e.key["instrument"])], number(e.value, 2)) for e in given[:NAMED]]
    listed = Text("、".join(f"{t.zh} {v}" for t, v in told), ", ".join(f"{t.en} {v}" for t, v in told))
    label = periods.label(began)
    return Text(
        f"{name.zh}自{label.zh}起，七项工具中有 {len(given)} 项投入，每季度平均最多的是{listed.zh}。",
        f"Since {label.en}, {len(given)} of seven instruments were used in {the}; most of all, on average a quarter: "
        f"{listed.en}.",
    )


def _say_safeguards(result: Result, ledger: pd.DataFrame) -> Text:
    known, n = ledger.dropna(subset=list(SAFEGUARDS), how="all"), int(result.settings["n_safeguards"])
    if known.empty:
        return Text("", "")
    label = periods.label(periods.parse_period(known["period"].iloc[-1]))
    if result.settings["entity"] is not None:
        return Text(f"{label.zh}五项保障到位 {n} 项。", f"In {label.en}, {n} of five safeguards were in place.")
    share = percent(float(result.settings["safeguards_pct"]), 0)
    return Text(
        f"{label.zh}五项保障平均在 {share} 的集群到位，{n} 项在全部集群到位。",
        f"In {label.en} the five safeguards were in place in {share} of clusters on average, {n} of them in all.",
    )


def _say_plan(since: pd.DataFrame) -> Text:
    done, planned = (float(since[f"tasks_{end}"].sum()) for end in ("done", "planned"))
    if planned <= 0:
        return Text("", "")
    a, b, share = count(int(done)), count(int(planned)), percent(100 * done / planned)
    return Text(f"同期计划任务完成 {a}/{b}（{share}）。", f"Of {b} planned tasks {a} were done ({share}).")


def _say_outcome(ledger: pd.DataFrame, outcome: Indicator) -> Text:
    known = ledger.dropna(subset=["value"])
    if known.empty or outcome.unit != "pct" or pd.isna(known["low"].iloc[-1]):
        return Text("", "")
    row = known.iloc[-1]
    label, span = periods.label(periods.parse_period(row["period"])), interval(row["low"], row["high"])
    n, unit, value = count(int(row["n"])), UNITS[outcome.counted], percent(row["value"])
    return Text(
        f"{label.zh}的{outcome.label.zh}为 {value}（95% CI {span.zh}；n = {n} {unit.zh}）。",
        f"The {outcome.label.en} of {label.en} is {value} (95% CI {span.en}; n = {n} {unit.en}).",
    )
