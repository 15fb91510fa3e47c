"""Every estimator of effects on input that carries none: a clear answer or the four lines, never a hollow number."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from qbase.core import Indicator, Panel, Policy, Result, Spell, Text
from qbase.core.errors import QbaseError
from qbase.core.periods import parse_period
from qbase.effects import (
    describe_path,
    estimate_advised,
    estimate_before_after,
    estimate_event_study,
    estimate_imputation,
    estimate_interrupted_series,
    estimate_published,
    estimate_staggered,
    estimate_sun_abraham,
    estimate_synthetic,
    estimate_triple_difference,
    estimate_twfe,
)

ID = "D1.batch"
RATE = Indicator(id=ID, name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")
FIRST = parse_period("2018Q1")
N, T = 8, 8
START = dict.fromkeys((0, 2, 4), 4)

Case = tuple[Panel, Policy]


def make_frame(n_units: int = N, periods: int = T, *, seed: int = 1, constant: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    tested = rng.integers(12, 40, size=(n_units, periods))
    passed = tested // 2 if constant else rng.binomial(tested, 0.8)
    tested = 2 * passed if constant else tested
    return pd.DataFrame(
        {
            "cluster_id": np.repeat([f"K{i:02d}" for i in range(n_units)], periods),
            "quarter": np.tile([str(FIRST + t) for t in range(periods)], n_units),
            ID: (100 * passed / tested).ravel(),
            f"{ID}__n": tested.ravel(),
            f"{ID}__k": passed.ravel(),
        }
    )


def to_panel(frame: pd.DataFrame) -> Panel:
    return Panel.from_frame(frame, entity="cluster_id", period="quarter", freq="Q", indicators={ID: RATE})


def adopt(starts: dict[int, int]) -> Policy:
    spells = tuple(Spell(entity=f"K{i:02d}", start=FIRST + t) for i, t in starts.items())
    group = {f"K{i:02d}": "other" if i % 2 else "kiln" for i in range(N)}
    return Policy(policy_id="base", title=Text("政策", "policy"), spells=spells, group=group)


def _without(rows: Callable[[pd.DataFrame], pd.Series]) -> Panel:
    frame = make_frame()
    return to_panel(frame[~rows(frame)])


def _emptied(rows: Callable[[pd.DataFrame], pd.Series]) -> Panel:
    frame = make_frame()
    gone = rows(frame)
    frame.loc[gone, ID] = np.nan
    frame.loc[gone, [f"{ID}__n", f"{ID}__k"]] = 0
    return to_panel(frame)


def _is_odd(frame: pd.DataFrame) -> pd.Series:
    return pd.Series(np.random.default_rng(4).random(len(frame)) < 0.25, index=frame.index)


def _is_treated(frame: pd.DataFrame) -> pd.Series:
    return frame["cluster_id"].isin([f"K{i:02d}" for i in START])


def _shrunk() -> Panel:
    panel = to_panel(make_frame())
    return Panel(data=panel.data, entity=panel.entity, freq="Q", indicators=dict(panel.indicators), shrunk=(ID,))


def _constant_of(side: str) -> Panel:
    frame, flat = make_frame(), make_frame(constant=True)
    mine = _is_treated(frame) == (side == "treated")
    frame[mine] = flat[mine]
    return to_panel(frame)


def _all_pass() -> Panel:
    frame = make_frame()
    return to_panel(frame.assign(**{ID: 100.0, f"{ID}__k": frame[f"{ID}__n"]}))


def _lines() -> Panel:
    """One number per entity and one per quarter, added: nothing is left to be noise."""
    frame = make_frame()
    own = frame["cluster_id"].str[1:].astype(float)
    when = frame["quarter"].map({str(FIRST + t): float(t) for t in range(T)})
    return to_panel(frame.assign(**{ID: 40 + own + when}).drop(columns=[f"{ID}__n", f"{ID}__k"]))


def _doubled() -> Panel:
    frame = make_frame()
    return to_panel(pd.concat([frame, frame.iloc[[3]]]))


INPUTS: dict[str, Callable[[], Case]] = {
    "all treated, at two dates": lambda: (to_panel(make_frame()), adopt({i: 3 + 3 * (i % 2) for i in range(N)})),
    "all treated at once": lambda: (to_panel(make_frame()), adopt(dict.fromkeys(range(N), 4))),
    "one period": lambda: (to_panel(make_frame(periods=1)), adopt(START)),
    "two periods": lambda: (to_panel(make_frame(periods=2)), adopt(dict.fromkeys(START, 1))),
    "constant outcome": lambda: (to_panel(make_frame(constant=True)), adopt(START)),
    "every batch passes": lambda: (_all_pass(), adopt(START)),
    "constant among the treated": lambda: (_constant_of("treated"), adopt(START)),
    "constant among the others": lambda: (_constant_of("others"), adopt(START)),
    "entity plus period": lambda: (_lines(), adopt(START)),
    "treated before the data begin": lambda: (to_panel(make_frame()), adopt(dict.fromkeys(START, -3))),
    "treated in the first period": lambda: (to_panel(make_frame()), adopt(dict.fromkeys(START, 0))),
    "treated after the data end": lambda: (to_panel(make_frame()), adopt(dict.fromkeys(START, T + 2))),
    "treated in the last period": lambda: (to_panel(make_frame()), adopt(dict.fromkeys(START, T - 1))),
    "rows that are not there": lambda: (_without(_is_odd), adopt(START)),
    "no values": lambda: (_emptied(_is_odd), adopt(START)),
    "no value at all": lambda: (_emptied(lambda f: f[ID] > -1), adopt(START)),
    "no value of the treated": lambda: (_emptied(_is_treated), adopt(START)),
    "no value before": lambda: (_emptied(lambda f: f["quarter"] < str(FIRST + 4)), adopt(START)),
    "no value at the base": lambda: (_emptied(lambda f: f["quarter"] == str(FIRST + 3)), adopt(START)),
    "no value of the others after": lambda: (
        _emptied(lambda f: ~_is_treated(f) & (f["quarter"] >= str(FIRST + 4))), adopt(START)
    ),
    "duplicated rows": lambda: (_doubled(), adopt(START)),
    "shrunk": lambda: (_shrunk(), adopt(START)),
    "one entity": lambda: (to_panel(make_frame(1)), adopt({0: 4})),
    "two entities": lambda: (to_panel(make_frame(2)), adopt({0: 4})),
    "one treated": lambda: (to_panel(make_frame()), adopt({0: 4})),
    "two treated": lambda: (to_panel(make_frame()), adopt({0: 4, 2: 4})),
    "one cohort": lambda: (to_panel(make_frame()), adopt(START)),
    "cohorts of one": lambda: (to_panel(make_frame()), adopt({0: 3, 2: 5})),
    "one not treated": lambda: (to_panel(make_frame()), adopt(dict.fromkeys(range(N - 1), 4))),
    "empty policy": lambda: (to_panel(make_frame()), adopt({})),
    "treated that nobody knows": lambda: (to_panel(make_frame()), adopt({40: 4})),
}  # fmt: skip

given_input = functools.lru_cache(lambda name: INPUTS[name]())


PLACES = {f"K{i:02d}": f"P{i // 2}" for i in range(N)}
Estimate = Callable[[Panel, Policy], Result | tuple[Result, ...]]
ESTIMATORS: dict[str, Estimate] = {
    "imputation": lambda p, q: estimate_imputation(p, q, ID),
    "staggered": lambda p, q: estimate_staggered(p, q, ID),
    "staggered, batches": lambda p, q: estimate_staggered(p, q, ID, rows="batches"),
    "synthetic": lambda p, q: estimate_synthetic(p, q, ID),
    "before and after": lambda p, q: estimate_before_after(p, q, ID),
    "advised": lambda p, q: estimate_advised(p, q, ID),
    "path": lambda p, q: describe_path(p, q, ID, why=Text("没有比较对象", "nobody to compare with")),
    "published": lambda p, q: estimate_published(p, q, "us_scrap_grants"),
    "two-way": lambda p, q: estimate_twfe(p, q, ID),
    "event study": lambda p, q: estimate_event_study(p, q, ID),
    "sun and abraham": lambda p, q: estimate_sun_abraham(p, q, ID),
    "triple difference": lambda p, q: estimate_triple_difference(p, q, ID, clusters=PLACES),
    "interrupted series": lambda p, q: estimate_interrupted_series(p, q, ID, seasonal=False),
}
VARIANTS: dict[str, Estimate] = {
    "imputation, log-odds": lambda p, q: estimate_imputation(p, q, ID, scale="logit"),
    "staggered, never": lambda p, q: estimate_staggered(p, q, ID, control="never", base="varying"),
    "staggered, jackknife": lambda p, q: estimate_staggered(p, q, ID, vcov="CRV3"),
    "staggered, analytic": lambda p, q: estimate_staggered(p, q, ID, vcov="analytic"),
    "staggered, wild": lambda p, q: estimate_staggered(p, q, ID, vcov="wild"),
    "synthetic, augmented": lambda p, q: estimate_synthetic(p, q, ID, method="augmented"),
    "synthetic differences": lambda p, q: estimate_synthetic(p, q, ID, method="sdid"),
    "interrupted series, seasons": lambda p, q: estimate_interrupted_series(p, q, ID),
}
HARDEST = (
    "constant among the treated",
    "constant among the others",
    "entity plus period",
    "no values",
    "one not treated",
)
"""Inputs that most estimators answer: the others are refused where panel and policy meet, whatever the variant."""

THINNEST = 1e-6
"""Points: an interval as narrow as rounding."""


def find_hollow(result: Result) -> list[str]:
    """Return what no reader may be shown."""
    found = []
    for e in result.estimates:
        name = f"{e.term} {dict(e.key)}"
        if not math.isfinite(e.value):
            found.append(f"{name}: value {e.value}")
        if e.ci_low is None or e.ci_high is None:
            # the rank among placebos is told for one treated too, with the smallest it could have been
            if e.uncertainty == "model" or (e.p_value is not None and not (e.p_floor and e.p_value >= e.p_floor)):
                found.append(f"{name}: p {e.p_value} without an interval, {e.uncertainty}")
            continue
        if not e.ci_high - e.ci_low > THINNEST:
            found.append(f"{name}: interval {e.ci_low} to {e.ci_high}")
        if e.std_error is not None and not e.std_error > THINNEST:
            found.append(f"{name}: error {e.std_error}")
        if e.n_treated is not None and e.n_treated < 3:
            found.append(f"{name}: an interval of {e.n_treated} treated")
        if e.p_value is not None and not 0 < e.p_value <= 1:
            found.append(f"{name}: p {e.p_value}")
    for table in result.tables.values():
        if "std_error" in table and not (table["std_error"].dropna() > 0).all():
            found.append("a table with an error of 0")
    said = [text for item in result.say().items for text in (item.zh, item.en)]
    told = [text for check in result.checks for text in (check.text.zh, check.text.en)]
    found += [text for text in (*said, *told) if "nan" in text.split() or "inf" in text.split()]
    return found


def refusal_or_results(estimate: Estimate, given: str) -> str | tuple[Result, ...]:
    try:
        found = estimate(*given_input(given))
    except QbaseError as refusal:
        return str(refusal)
    return found if isinstance(found, tuple) else (found,)


@pytest.mark.parametrize(
    ("estimator", "given"),
    [*itertools.product(ESTIMATORS, INPUTS), *itertools.product(VARIANTS, HARDEST)],
)
def test_nothing_hollow_comes_out(estimator: str, given: str):
    found = refusal_or_results({**ESTIMATORS, **VARIANTS}[estimator], given)
    if isinstance(found, str):
        lines = found.splitlines()
        assert len(lines) == 4, lines
        assert all(line.strip() for line in lines)
        assert "nan" not in found.split()
        return
    for result in found:
        assert find_hollow(result) == []


def test_most_of_the_estimators_answer_plain_input():
    """The matrix above would pass, too, if everything were refused."""
    answered = {
        e for e, estimate in ESTIMATORS.items() if not isinstance(refusal_or_results(estimate, "one cohort"), str)
    }
    assert set(ESTIMATORS) - answered == {"published"}  # whose outcome is that of its own case
