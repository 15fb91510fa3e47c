"""More patterns: rates just above a target, a year in which one laboratory took over, numbers that are not there."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import betabinom, chi2

from qbase.core.errors import UsageError
from qbase.core.given import read_number
from qbase.core.numbers import count
from qbase.core.text import Text
from qbase.core.values import CheckResult
from qbase.stats.rates.shrinkage import LEAST_ENTITIES, BetaBinomial, fit_beta_binomial
from qbase.trends.watching.integrity_signals import COLUMNS, Pattern, say_pattern, towns_of
from qbase.trends.watching.watch_tables import WatchTables

Floats = NDArray[np.float64]

NEAR_BATCHES = 2
"""So many batches on either side of a target are near it."""

LEAST_TESTED = 10
LEAST_NEAR = 4

BUNCHING = Pattern(
    name="bunching",
    told=Text(
        "年度合格率刚好达到目标的乡镇多于预计，差一点达到的偏少，需核实：{places}",
        "more yearly rates of towns lie just above the target, and fewer just below, than expected; to verify: "
        "{places}",
    ),
    quiet=Text("年度合格率没有聚集在目标线之上", "yearly rates do not gather just above the target"),
)
MIX = Pattern(
    name="laboratory_mix",
    told=Text(
        "个别年份样品集中送往某一检验机构，与其他年份明显不同，需核实（是否更换承检合同等）：{places}",
        "in some years one laboratory took clearly more batches than in others; to verify, such as a new contract: "
        "{places}",
    ),
    quiet=Text("各年检验机构的份额没有超出偶然的变化", "the shares of laboratories change no more than by chance"),
)
LEAST_EXPECTED = 5.0
"""Batches a laboratory should have in the thinnest year, for Pearson's test to hold."""


def check_bunching(tables: WatchTables, target: float) -> CheckResult:
    """Check whether yearly pass rates of towns gather just above a target, county by county.

    The true rates of town-years are taken to follow one beta distribution; of those that ended within two batches of
    the target it tells how many should lie above.

    Parameters
    ----------
    tables : WatchTables
        From `read_watch_tables`.
    target : float
        In percent.

    Returns
    -------
    CheckResult
        ``bunching``; table place (county code), n near the target, observed and expected above, p_value (exact),
        q_value, is_signal.

    Raises
    ------
    UsageError
        The target is no percentage (QB598).
    """
    number = read_number(target)
    if number is None or not 0 < number < 100:
        raise UsageError(
            "QB598", found=f"target={target!r}", expected="a percentage between 0 and 100", fix="target=90.0"
        )
    draws = tables.draws.assign(town=towns_of(tables), year=tables.draws["sample_date"].dt.year)
    cells = draws.groupby(["town", "year"], as_index=False).agg(n=("is_pass", "size"), k=("is_pass", "sum"))
    cells = cells[cells["n"] >= LEAST_TESTED]
    if len(cells) < LEAST_ENTITIES:
        return say_pattern(BUNCHING, pd.DataFrame(columns=COLUMNS[:5]), tables.names)
    n, k = cells["n"].to_numpy(dtype=float), cells["k"].to_numpy(dtype=float)
    line = np.ceil(number / 100 * n - 1e-9)
    is_near = (k >= line - NEAR_BATCHES) & (k < line + NEAR_BATCHES)
    chance = _chance_above(fit_beta_binomial(k, n), n, line)
    county = cells["town"].str[:6].to_numpy(dtype=object)
    rows = []
    for place in sorted(set(county[is_near])):
        own = is_near & (county == place)
        above = int((k >= line)[own].sum())
        is_told = own.sum() >= LEAST_NEAR
        rows.append(
            {
                "place": place,
                "n": int(own.sum()),
                "observed": above,
                "expected": float(chance[own].sum()),
                "p_value": _chance_of_so_many(chance[own], above) if is_told else np.nan,
            }
        )
    return say_pattern(BUNCHING, pd.DataFrame(rows, columns=COLUMNS[:5]), tables.names)


def _chance_above(rates: BetaBinomial, n: Floats, line: Floats) -> Floats:
    """Return the chance to lie above the line, of those near it."""
    steps = np.arange(-NEAR_BATCHES, NEAR_BATCHES)[:, None]
    chances = betabinom.pmf(line + steps, n, rates.alpha, rates.beta)
    return np.asarray(chances[NEAR_BATCHES:].sum(axis=0) / np.maximum(chances.sum(axis=0), 1e-300), dtype=float)


def _chance_of_so_many(chances: Floats, observed: int) -> float:
    """Return the probability that so many or more of independent events happen."""
    spread = np.ones(1)
    for p in chances:
        spread = np.convolve(spread, [1 - p, p])
    return float(min(1.0, spread[observed:].sum()))


def check_laboratory_mix(tables: WatchTables) -> CheckResult:
    """Check whether the laboratories of a town had the same shares in every year, town by town.

    A test of homogeneity of laboratories by years; laboratories that are rare in a town count together. New contracts
    move shares as well, so the year and the laboratory are named.

    Parameters
    ----------
    tables : WatchTables
        From `read_watch_tables`.

    Returns
    -------
    CheckResult
        ``laboratory_mix``; table place (town), n batches, observed and expected of the laboratory and year that stand
        out most (columns lab_name, year), p_value, q_value, is_signal.
    """
    draws = tables.draws.assign(town=towns_of(tables), year=tables.draws["sample_date"].dt.year)
    draws = draws[draws["lab_name"].notna()]
    rows = []
    for town, own in draws.groupby("town", sort=True):
        by_year = pd.crosstab(own["lab_name"], own["year"])
        by_year = by_year.loc[:, by_year.sum() >= LEAST_TESTED]
        is_rare = by_year.sum(axis=1) * by_year.sum().min() / max(by_year.to_numpy().sum(), 1) < LEAST_EXPECTED
        pooled = by_year[is_rare].sum().to_frame("").T
        seen = pd.concat([by_year[~is_rare], pooled[pooled.sum(axis=1) > 0]])
        rows.append({"place": str(town), "n": int(seen.to_numpy().sum()), **_homogeneity(seen)})
    columns = [*COLUMNS[:5], "lab_name", "year"]
    return say_pattern(MIX, pd.DataFrame(rows, columns=columns), tables.names)


def _homogeneity(seen: pd.DataFrame) -> dict[str, object]:
    """Return Pearson's test of a table, and the cell that stands out most above what is expected."""
    counts = seen.to_numpy(dtype=float)
    if min(counts.shape) < 2:
        return {"observed": np.nan, "expected": np.nan, "p_value": np.nan, "lab_name": "", "year": 0}
    due = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    scaled = (counts - due) / np.sqrt(due)
    lab, year = (int(i) for i in np.unravel_index(int(np.argmax(scaled)), scaled.shape))
    df = (counts.shape[0] - 1) * (counts.shape[1] - 1)
    return {
        "observed": counts[lab, year],
        "expected": due[lab, year],
        "p_value": float(chi2.sf((scaled**2).sum(), df)),
        "lab_name": str(seen.index[lab]),
        "year": int(seen.columns[year]),
    }


def check_missing_numbers(tables: WatchTables) -> CheckResult:
    """Check whether the numbers of samples run without gaps: each series from 1 to its highest number.

    Parameters
    ----------
    tables : WatchTables
        Its ``numbers`` are read: every sample on record, whatever became of it.

    Returns
    -------
    CheckResult
        ``missing_numbers``; table place (what stands before the running number), n on record, missing, first_missing,
        is_signal. A full count: nothing is left to chance, and a lost file leaves the same gap as a withheld batch.
    """
    parts = tables.numbers.drop_duplicates().astype(str).str.extract(r"^(.*?)(\d{1,9})$").dropna()
    table = pd.DataFrame({"place": parts[0], "number": parts[1].astype(int)}).drop_duplicates()
    rows = []
    for place, numbers in table.groupby("place", sort=True)["number"]:
        held = set(numbers)
        missing = [i for i in range(1, max(held) + 1) if i not in held] if max(held) <= 2 * len(held) + 50 else []
        is_run = max(held) <= 2 * len(held) + 50
        rows.append(
            {
                "place": str(place),
                "n": len(held),
                "missing": len(missing),
                "first_missing": missing[0] if missing else 0,
                "is_signal": bool(missing),
                "is_run": is_run,
            }
        )
    found = pd.DataFrame(rows, columns=["place", "n", "missing", "first_missing", "is_signal", "is_run"])
    found = found[found["is_run"].astype(bool)].drop(columns="is_run").reset_index(drop=True)
    return CheckResult(
        name="missing_numbers",
        passed=None if found.empty else not found["is_signal"].any(),
        text=_say_missing(found),
        table=found,
    )


def _say_missing(found: pd.DataFrame) -> Text:
    if found.empty:
        return Text("抽样编号不成序列，无法核对缺号。", "Sample numbers form no series: gaps cannot be looked for.")
    gaps = found[found["is_signal"].astype(bool)]
    if gaps.empty:
        return Text(
            f"{count(len(found))} 个编号序列均无缺号。", f"{count(len(found))} series of sample numbers have no gap."
        )
    shown = gaps.sort_values(["missing", "place"], ascending=[False, True], kind="stable").head(5)
    pairs = list(zip(shown["place"], shown["missing"], strict=True))
    zh = "、".join(f"{place}（缺 {count(int(n))} 个）" for place, n in pairs)
    en = ", ".join(f"{place} ({count(int(n))})" for place, n in pairs)
    more = Text("等", " and others") if len(gaps) > len(shown) else Text("", "")
    total = count(int(gaps["missing"].sum()))
    return Text(
        f"{count(len(found))} 个编号序列中 {count(len(gaps))} 个有缺号，共缺 {total} 个，"
        "需核实是文件未收到还是样品未报送："
        f"{zh}{more.zh}。",
        f"{count(len(gaps))} of {count(len(found))} series of sample numbers have gaps, {total} numbers in all; to "
        f"verify whether a file was lost or a sample not sent: {en}{more.en}.",
    )
