"""Doses of instruments beside a grid: which began when in whom, and where one ran while no other had begun."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbase.core import periods
from qbase.core.errors import PolicyError
from qbase.core.numbers import count
from qbase.core.periods import read_period
from qbase.core.policy import Policy
from qbase.core.text import Text
from qbase.core.values import INSTRUMENTS, MOST_INSTRUMENTS
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid

LEAST_APART = 4
"""Quarters one instrument must run before any other begins."""
LEAST_CLUSTERS = 5
"""Each instrument must have come first in so many clusters."""
COLUMNS = ("entity", "period", "instrument", "value")
TITLES = {
    "W1": Text("产业集聚（W1）", "agglomeration (W1)"),
    "W2": Text("质量服务（W2）", "quality services (W2)"),
    "W3": Text("技术创新（W3）", "innovation (W3)"),
    "W4": Text("品牌培育（W4）", "brand building (W4)"),
    "W5": Text("标准化（W5）", "standardisation (W5)"),
    "W6": Text("检测平台（W6）", "the test platform (W6)"),
    "W7": Text("质量信用（W7）", "quality credit (W7)"),
}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DoseStarts:
    """Instruments of the entities of a grid, J = 7 of them.

    Parameters
    ----------
    package : numpy.ndarray, shape (N,)
        Column of the first period of the policy; NaN where there is none.
    start : numpy.ndarray, shape (N, J)
        Column of the first dose above 0; infinite where there is none.
    size : numpy.ndarray, shape (N, J)
        Mean of the doses stated in the first four quarters from there; NaN where there is none.
    """

    package: Floats
    start: Floats
    size: Floats

    def others(self, code: str) -> Floats:
        """Return the column in which the first other instrument began, shape (N,)."""
        return np.asarray(np.delete(self.start, INSTRUMENTS.index(code), axis=1).min(axis=1), dtype=float)

    def own(self, code: str) -> Floats:
        """Return the column in which an instrument began, shape (N,)."""
        return self.start[:, INSTRUMENTS.index(code)]

    def quarters_alone(self, code: str, n_periods: int) -> Floats:
        """Return for how many quarters within the data an instrument ran before any other began; 0 where it did not."""
        own = self.own(code)
        end = np.minimum(self.others(code), n_periods)
        return np.where(own < end, end - np.where(np.isfinite(own), own, 0.0), 0.0)


def read_instruments_asked(policy: Policy, asked: Sequence[str] | None) -> tuple[str, ...]:
    """Return the instruments singled out: those asked for, or those of the plan.

    Raises
    ------
    PolicyError
        None was declared, one is unknown, or there are more than two (QB569).
    """
    planned = () if policy.plan is None else policy.plan.instruments
    named = tuple(dict.fromkeys(planned if asked is None else asked))
    unknown = [code for code in named if code not in INSTRUMENTS]
    if named and not unknown and len(named) <= MOST_INSTRUMENTS:
        return named
    declared = 'instruments = ["W1", "W3"]'
    if not named:
        why = Text("方案没有事先点名任何工具", "its plan singles out none beforehand")
        raise _refused(policy, why, "no instruments in the plan", "one or two of W1 to W7", f"[plan] {declared}")
    why = Text("点名的工具不成立", "those named cannot be judged")
    raise _refused(policy, why, ", ".join(named), f"at most two of {' · '.join(INSTRUMENTS)}", declared)


def place_doses(grid: OutcomeGrid, policy: Policy) -> DoseStarts:
    """Place the doses a policy carries beside the rows of a grid, or say why they tell nothing.

    Parameters
    ----------
    grid : OutcomeGrid
        By quarters; its starts are those of the policy.
    policy : Policy
        Its doses have columns entity, period, instrument, value, in any order of rows; entities outside the grid are
        passed over.

    Raises
    ------
    PolicyError
        A panel of years, a column or a period that is none, a dose that is no number or below 0, doubled, given before
        the policy or without it, or no dose at all (QB569).
    """
    if grid.freq != "Q":
        why = Text("面板不是季度", "the panel is not by quarters")
        raise _refused(policy, why, f"freq={grid.freq!r}", "a panel of quarters", 'build_panel(…, freq="Q")')
    if policy.doses is None:
        raise _without_doses(policy)
    row, column, code, value = _read_rows(grid, policy, policy.doses)
    start = np.full((len(grid.entities), len(INSTRUMENTS)), np.inf)
    given = value > 0
    np.minimum.at(start, (row[given], code[given]), column[given])
    _refuse_outside(grid, policy, start)
    since = column - start[row, code]
    is_first = (since >= 0) & (since < LEAST_APART)
    total, number = np.zeros(start.shape), np.zeros(start.shape)
    np.add.at(total, (row[is_first], code[is_first]), value[is_first])
    np.add.at(number, (row[is_first], code[is_first]), 1.0)
    size = np.where(number > 0, total / np.where(number > 0, number, 1.0), np.nan)
    return DoseStarts(package=grid.start, start=start, size=size)


def count_first(grid: OutcomeGrid, starts: DoseStarts, code: str) -> int:
    """Return in how many clusters an instrument ran for four quarters before any other began."""
    came_first = grid.is_treated & (starts.quarters_alone(code, grid.n_periods) >= LEAST_APART)
    return len(np.unique(grid.cluster[came_first]))


def say_first(n_first: Mapping[str, int]) -> Text:
    """Say in how many clusters each instrument came first, as part of a sentence."""
    parts = [(TITLES[code], count(n)) for code, n in n_first.items()]
    return Text("、".join(f"{t.zh} {n} 个" for t, n in parts), ", ".join(f"{t.en} {n}" for t, n in parts))


def cut_alone(grid: OutcomeGrid, starts: DoseStarts, code: str) -> OutcomeGrid:
    """Return the grid in which only one instrument is at work.

    Treated are the entities in which it ran at least four quarters before any other, from its own first quarter until
    the first of another; their quarters of the policy outside that time hold no outcome. Others the policy treated are
    left out, so that who changes places in permutations has a whole history.
    """
    is_alone = starts.quarters_alone(code, grid.n_periods) >= LEAST_APART
    at = np.arange(grid.n_periods)[None, :]
    own = np.where(is_alone, starts.own(code), np.nan)
    touched = (at >= starts.package[:, None]) & ((at < own[:, None]) | (at >= starts.others(code)[:, None]))
    holes = is_alone[:, None] & touched
    kept = is_alone | ~grid.is_treated
    whole = dataclasses.replace(
        grid,
        y=np.where(holes, np.nan, grid.y),
        n=None if grid.n is None else np.where(holes, 0.0, grid.n),
        k=None if grid.k is None else np.where(holes, 0.0, grid.k),
        start=own,
    )
    return whole.keep(kept)


def _read_rows(
    grid: OutcomeGrid, policy: Policy, doses: pd.DataFrame
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Floats]:
    lost = [name for name in COLUMNS if name not in doses]
    if lost:
        why = Text("力度数据缺少列", "the doses lack columns")
        raise _refused(policy, why, f"no {', '.join(lost)}", " · ".join(COLUMNS), "doses=read_doses(workspace, policy)")
    row = pd.Index(grid.entities).get_indexer(pd.Index(doses["entity"].astype(str)))
    rows = doses[row >= 0]
    row = row[row >= 0].astype(np.int64)
    read = [read_period(period) for period in rows["period"]]
    code = pd.Index(INSTRUMENTS).get_indexer(pd.Index(rows["instrument"].astype(str))).astype(np.int64)
    value = pd.to_numeric(rows["value"], errors="coerce").to_numpy(dtype=float)
    wrong = [
        i
        for i, period in enumerate(read)
        if period is None or period.freqstr[:1] != "Q" or code[i] < 0 or not 0 <= value[i] < np.inf
    ]
    doubled = rows.duplicated(["entity", "period", "instrument"]).to_numpy()
    if wrong or doubled.any():
        first = rows.iloc[wrong[0] if wrong else int(np.argmax(doubled))]
        found = " ".join(str(first[name]) for name in COLUMNS) + ("" if wrong else ", twice")
        why = Text("力度数据有不成立的行", "a row of the doses cannot be")
        expected = "each once: a quarter, one of W1 to W7, a number from 0 on"
        raise _refused(policy, why, found, expected, "correct table instruments")
    column = np.array([period.ordinal - grid.first for period in read if period is not None], dtype=np.int64)
    return row, column, code, value


def _refuse_outside(grid: OutcomeGrid, policy: Policy, start: Floats) -> None:
    first = start.min(axis=1)
    if not (first[grid.is_treated] < grid.n_periods).any():
        raise _without_doses(policy)
    begun = np.where(np.isfinite(grid.start), grid.start, np.inf)
    early = np.flatnonzero((first < begun) & (first < grid.n_periods))
    if len(early):
        i = int(early[0])
        code, at = INSTRUMENTS[int(start[i].argmin())], grid.code_of(int(first[i]))
        begins = "no policy" if not np.isfinite(begun[i]) else f"the policy from {grid.code_of(int(begun[i]))}"
        why = Text("政策开始之前或之外已有工具力度", "a dose was given before the policy, or without it")
        found = f"{grid.entities[i]}: {code} from {at}, {begins} (and {len(early) - 1} more)"
        fix = "correct [[spell]] start or [[dose]] quarter, or leave the entity out of the panel"
        raise _refused(policy, why, found, "doses from the start of the policy on", fix)


def list_starts(grid: OutcomeGrid, starts: DoseStarts, codes: Sequence[str]) -> pd.DataFrame:
    """Return who began with which instrument when, one row for each treated entity and instrument asked about.

    Columns entity, instrument, policy, start, other (codes of periods, empty where there is none), quarters_alone.
    """

    def word(at: float) -> str:
        return periods.code(pd.Period(ordinal=grid.first + int(at), freq="Q")) if np.isfinite(at) else ""

    rows = []
    for code in codes:
        own, other, alone = starts.own(code), starts.others(code), starts.quarters_alone(code, grid.n_periods)
        for i in np.flatnonzero(grid.is_treated):
            told = (word(starts.package[i]), word(own[i]), word(other[i]))
            rows.append((grid.entities[i], code, *told, int(alone[i])))
    return pd.DataFrame(rows, columns=["entity", "instrument", "policy", "start", "other", "quarters_alone"])


def _without_doses(policy: Policy) -> PolicyError:
    why = Text("没有力度数据", "no doses of its entities were delivered")
    expected = "doses by cluster and quarter, as read_doses(workspace, policy) gives them"
    return _refused(policy, why, "no dose above 0", expected, "add [[dose]] entries to the policy file")


def _refused(policy: Policy, why: Text, found: str, expected: str, fix: str) -> PolicyError:
    return PolicyError(
        "QB569", policy=policy.policy_id, why_zh=why.zh, why_en=why.en, found=found, expected=expected, fix=fix
    )
